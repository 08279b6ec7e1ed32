"""Kubernetes quantities (`500m`, `16Gi`, `1`): the strings users write, the exact numbers behind them."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Final

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from foretide.api.rules import QUANTITY_TYPE, Rule

_DECIMAL: Final = {
    "n": -9,
    "u": -6,
    "m": -3,
    "": 0,
    "k": 3,
    "M": 6,
    "G": 9,
    "T": 12,
    "P": 15,
    "E": 18,
}
_BINARY: Final = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
# No sign: a negative amount of a resource means nothing. Kubernetes' own bounds are wider (".5", "+1"); these are the
# spellings that people use.
_QUANTITY: Final = "[0-9]{1,15}([.][0-9]{1,9})?(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|[eE][0-9]{1,2})?"
_PARTS: Final = re.compile("([0-9.]+)(.*)")


def parse_quantity(text: str) -> Decimal:
    """The exact number: "500m" is 0.5, "1Ki" is 1024. ValueError on what is not a quantity."""
    if re.fullmatch(_QUANTITY, text) is None:
        raise ValueError(f"not a quantity such as 500m or 16Gi: {text[:40]!r}")
    parts = _PARTS.fullmatch(text)
    number, suffix = parts.groups() if parts else (text, "")
    if suffix in _BINARY:
        return Decimal(number) * Decimal(2) ** _BINARY[suffix]
    exponent = _DECIMAL[suffix] if suffix in _DECIMAL else int(suffix[1:])
    return Decimal(number).scaleb(exponent)


def same_quantities(left: Mapping[str, str], right: Mapping[str, str]) -> bool:
    """Whether two resource lists mean the same: the apiserver may give "0.5" back as "500m"."""
    return left.keys() == right.keys() and all(
        parse_quantity(left[name]) == parse_quantity(right[name]) for name in left
    )


def as_text(value: object) -> str:
    """A string or an integer as a string, as Kubernetes takes both; booleans and fractions are neither."""
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() <= 64:
        return str(value)
    raise PydanticCustomError(QUANTITY_TYPE, "neither a string nor an integer")


Quantity = Annotated[
    str,
    Field(min_length=1, max_length=32, json_schema_extra={"x-kubernetes-int-or-string": True}),
    Rule(
        cel=f"string(self).matches('^{_QUANTITY}$')",
        holds=lambda text: re.fullmatch(_QUANTITY, text) is not None,
        rule="must be a Kubernetes quantity that is not negative",
        fix='write it like "500m", "4" or "16Gi"',
    ),
    BeforeValidator(as_text),
]
