"""What the configuration that Foretide derives is worth: the rate that one Triton serves within an SLO."""
