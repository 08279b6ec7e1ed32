"""Orchestration: the reconcile loop and the autoscale loop, which meet only in status and in the Deployment."""
