"""A real Kubernetes cluster on this machine, for the end-to-end tests and the demo (`python -m e2e.cluster --help`)."""

from .cluster import Cluster
from .errors import ClusterError
from .lifecycle import down, load, up
from .target import connect

__all__ = ["Cluster", "ClusterError", "connect", "down", "load", "up"]
