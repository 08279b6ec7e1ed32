"""The main job on real parts (`make demo`): cluster, operator, a real model, two days of real load, and the outcome."""
