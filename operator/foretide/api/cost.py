"""What the replicas of a HardwareClass cost and draw, and how many of them there may be."""

from typing import Annotated

from pydantic import Field

from foretide.api.fields import Fields
from foretide.api.rules import matching, ordered

# A 7 kW server of eight accelerators is a tenth of it.
_MAX_WATTS = 100_000

Price = Annotated[
    str,
    Field(min_length=1, max_length=16),
    matching(
        "(0|[1-9][0-9]{0,6})([.][0-9]{1,6})?",
        "must be a number that is not negative, with at most 7 digits and 6 decimals",
        'write it like "0.53"',
    ),
]

Currency = Annotated[
    str,
    Field(min_length=1, max_length=8),
    matching("[A-Z]{3}", "must be the three capital letters of a currency in ISO 4217", 'write it like "USD"'),
]

Watts = Annotated[int, Field(ge=0, le=_MAX_WATTS)]


class Cost(Fields):
    """What one replica costs."""

    per_hour: Price = Field(examples=['"0.53"'])
    """Price of one replica for an hour, as a decimal number in quotes."""
    currency: Currency = "USD"
    """Currency of the price, by its three letters in ISO 4217. Foretide converts nothing."""

    @property
    def amount_per_hour(self) -> float:
        """The price as a number, in the currency."""
        return float(self.per_hour)


class Power(Fields):
    """What one replica draws of electric power."""

    idle_watts: Watts = Field(examples=["20"])
    """Power of a replica that waits for requests, in watts."""
    busy_watts: Watts = Field(examples=["70"])
    """Power of a replica that always works on a batch, in watts."""

    rules = (ordered("idleWatts", "busyWatts"),)


class Quota(Fields):
    """How many replicas of the class there may be."""

    max_replicas: Annotated[int, Field(ge=1, le=10_000)] = Field(examples=["64"])
    """Most replicas of all services of the class together; a ScalingPolicy's priority says who is served first."""
