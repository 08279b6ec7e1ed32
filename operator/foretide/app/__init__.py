"""Wiring only: settings, kopf handlers, the endpoint for probes and metrics, and the order of start and stop."""
