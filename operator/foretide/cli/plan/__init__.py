"""`plan`: what an apply would create and change, and whether the SLO can be kept at which price; before it is done."""
