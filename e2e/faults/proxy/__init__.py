"""A proxy before Prometheus and before the API server that delays, refuses, cuts, rewrites, freezes, drops, replays."""

from e2e.faults.proxy.client import Proxy
from e2e.faults.proxy.rules import Fault, Rule

__all__ = ["Fault", "Proxy", "Rule"]
