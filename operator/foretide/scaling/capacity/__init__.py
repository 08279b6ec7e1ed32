"""What one replica can serve within the SLO: evidence of batch times -> law -> rate per replica."""

from foretide.scaling.capacity.evidence import BatchCounts, Evidence, increase, learn
from foretide.scaling.capacity.law import Law, fit
from foretide.scaling.capacity.rate import Capacity, rate_per_replica

__all__ = ["BatchCounts", "Capacity", "Evidence", "Law", "fit", "increase", "learn", "rate_per_replica"]
