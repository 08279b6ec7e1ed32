"""How many replicas every service should have: pure functions over arrays, one row per service.

    Pods        -> demand.observe -> Seen
    BatchCounts -> capacity.learn -> Evidence -> capacity.fit -> Law -> capacity.rate_per_replica -> Capacity
    forecast    -> Readings (none yet)
    Bounds, Fleet, Seen, Capacity, Readings, Memory -> decide.decide -> Decisions (with the new Memory)
    Decisions   -> ledger.explain, ledger.reason;  Memory -> journal.encode, journal.decode

`brain.Brain` takes these steps for whoever runs it, the operator or the simulator, through the seam in `policy`.
Nothing here reads a clock, a random number, a variable of the environment or a log; the caller passes `now_seconds`.
"""
