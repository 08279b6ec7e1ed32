"""`backtest`: what a policy would have made of the load that a service had, in the simulator; and what others would."""
