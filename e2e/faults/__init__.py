"""The fault matrix: every way in which metrics, pods, clocks and API servers fail, and what must hold all the same."""
