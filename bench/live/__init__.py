"""Foretide, HPA and KEDA on one cluster: the same pods under the same requests, and what came of them."""
