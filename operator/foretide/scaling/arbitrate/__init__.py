"""Who gets what where hardware is short: a quota shared by services, and one service on several hardware classes."""

from foretide.scaling.arbitrate.in_order import Need, Room, Split, Why, hand_over, in_order
from foretide.scaling.arbitrate.lateness import Lateness
from foretide.scaling.arbitrate.mix import Mix, Offer, fill
from foretide.scaling.arbitrate.quota import NO_QUOTA, Claims, Worth, grant

__all__ = [
    "NO_QUOTA",
    "Claims",
    "Lateness",
    "Mix",
    "Need",
    "Offer",
    "Room",
    "Split",
    "Why",
    "Worth",
    "fill",
    "grant",
    "hand_over",
    "in_order",
]
