"""Percentages as strings ("99.9"): a float in YAML would lose digits on its way through JSON."""

import re
from decimal import Decimal
from typing import Annotated, Final

from pydantic import Field

from foretide.api.rules import Rule, matching

_PERCENTAGE: Final = "(0|[1-9][0-9]?)([.][0-9]{1,4})?"
_STEP: Final = re.compile("[1-9][0-9]{0,3}%")


def parse_fraction(text: str) -> float:
    """The percentage as a fraction of one: "99.9" is 0.999. ValueError on what an objective may not be."""
    if not _is_objective(text):
        raise ValueError(f"not a percentage between 0 and 100: {text[:40]!r}")
    return float(Decimal(text) / 100)


def parse_step(text: str) -> float:
    """The share of the present replicas: "20%" is 0.2. ValueError on what is not a whole percentage up to 9999%."""
    if _STEP.fullmatch(text) is None:
        raise ValueError(f"not a percentage such as 20%: {text[:40]!r}")
    return int(text.removesuffix("%")) / 100


def _is_objective(text: str) -> bool:
    return re.fullmatch(_PERCENTAGE, text) is not None and Decimal(text) > 0


Objective = Annotated[
    str,
    Field(min_length=1, max_length=7),
    Rule(
        cel=f"self.matches('^{_PERCENTAGE}$') && double(self) > 0.0",
        holds=_is_objective,
        rule="must be a percentage greater than 0 and less than 100, with at most 4 decimals and no percent sign",
        fix='write it like "99" or "99.9"',
    ),
]

GrowthStep = Annotated[
    str,
    Field(min_length=1, max_length=8),
    matching(
        "([1-9][0-9]{0,2}|1000)%",
        "must be a whole percentage from 1% to 1000%",
        'write it like "100%", or leave it out for no limit',
    ),
]

ShrinkStep = Annotated[
    str,
    Field(min_length=1, max_length=8),
    matching("([1-9][0-9]?|100)%", "must be a whole percentage from 1% to 100%", 'write it like "20%"'),
]
