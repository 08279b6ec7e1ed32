"""Who gets what where hardware is short: a quota shared by services, and one service on several hardware classes."""

from foretide.scaling.arbitrate.mix import Mix, Offer, fill
from foretide.scaling.arbitrate.quota import NO_QUOTA, Claims, Grants, grant
from foretide.scaling.arbitrate.shortage import Curves, shortage

__all__ = ["NO_QUOTA", "Claims", "Curves", "Grants", "Mix", "Offer", "fill", "grant", "shortage"]
