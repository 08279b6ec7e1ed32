"""Forecasters of demand, for the peers that have one of their own and for those that are given one."""
