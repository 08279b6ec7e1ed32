"""Every autoscaler on real traces: peers, Foretide's own and the clairvoyant optimum."""
