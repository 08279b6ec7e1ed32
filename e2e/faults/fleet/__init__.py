"""Pods without a node: what a kubelet tells of them, and what the Tritons in them would answer.

A real kubelet makes no pod that waits half an hour to leave, and no real Triton counts NaN requests when it is told to.
"""

from e2e.faults.fleet.behaviour import Behaviour, Start
from e2e.faults.fleet.client import Fleet

__all__ = ["Behaviour", "Fleet", "Start"]
