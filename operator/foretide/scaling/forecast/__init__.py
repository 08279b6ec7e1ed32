"""The seam of the forecaster: whatever forecasts gives one `Readings` per tick, in items a second.

A value is the upper quantile of the *maximum* demand between the moment when a replica started now becomes ready
and one decision later. A forecast adds capacity and never takes any away, so that the worst it can do is to cost
replicas up to the maximum; unknown (no history, not trusted, failed) leaves the reactive decision.
"""

from foretide.scaling.readings import Readings


def none(services: int) -> Readings:
    """No forecast for any service: decisions are reactive."""
    return Readings.unknown(services)
