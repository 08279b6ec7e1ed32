"""How many replicas every service should have: pure functions over arrays, one row per service.

    Pods        -> demand.observe -> Seen
    BatchCounts -> capacity.learn -> Evidence -> capacity.fit -> Law -> capacity.rate_per_replica -> Capacity
    PodList     -> lead_time.learn, lead_time.quantile -> how long a new replica takes
    Readings    -> forecast.sight.look -> Foresight: quantiles of the demand until then, and at that time
    Risk        -> which of the quantiles; with the lead time it makes a Plan
    Bounds, Fleet, Seen, Capacity, Plan, Memory -> decide.decide -> Decisions (with the new Memory)
    Decisions   -> ledger.explain, ledger.reason;  Memory -> journal.encode, journal.decode

`brain.Brain` takes these steps for whoever runs it, the operator or the simulator, through the seam in `policy`.
Nothing here reads a clock, a random number, a variable of the environment or a log; the caller passes `now_seconds`.
"""
