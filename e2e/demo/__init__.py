"""The main job on real parts (`make demo`): cluster, operator, a real model, an hour of real load, and the outcome."""
