"""Numbers as status has them: written without an exponent, and read back from what somebody may have edited by hand."""

from __future__ import annotations

import math
from typing import Final

HOUR_SECONDS: Final = 3_600.0


def number(text: object) -> float:
    """NaN where it is no number."""
    try:
        return float(str(text))
    except ValueError:
        return math.nan


def decimal(amount: float) -> str:
    """Three digits and no exponent: 0.000123, 12.3, 4560."""
    digits = 2 - math.floor(math.log10(amount)) if amount > 0.0 else 0
    return plain(round(amount, digits), places=min(max(digits, 0), 9))


def plain(amount: float, *, places: int) -> str:
    """With so many decimal places at most, and no zeros at their end."""
    text = f"{amount:.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
