"""Open-loop load on a server of this machine: a schedule of arrivals, one new connection for each request.

The schedule never waits for the server, so a slow server shows as latency and not as a lower rate. `run`
sends from this process, `start` from a child process that nothing else disturbs; both give a `Result` of
arrays, and `report` reduces it.
"""

from e2e.load.child import Running, start
from e2e.load.result import Outcome, Result
from e2e.load.run import Plan, run
from e2e.load.schedule import Profile, arrivals, read_profile, steady
from e2e.load.wire import Answer, Target, request

__all__ = [
    "Answer",
    "Outcome",
    "Plan",
    "Profile",
    "Result",
    "Running",
    "Target",
    "arrivals",
    "read_profile",
    "request",
    "run",
    "start",
    "steady",
]
