"""Whether a live object still says what its manifest says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from foretide.api.quantities import parse_quantity

# Maps that the API replaces as a whole: one more label in a Service's selector, and it has no endpoints.
ATOMIC: Final = (".selector", ".matchLabels", ".nodeSelector")
# Maps of amounts, of which the API server rewrites some: 0.5 is 500m, 1024Mi is 1Gi.
AMOUNTS: Final = (".requests", ".limits")


def drift(intended: Any, live: Any, *, path: str = "") -> str | None:
    """The path of the first intended value that the live object lacks, or None.

    Fields that only the live object has are other writers' (or the API server's defaults) and no drift.
    """
    # First, as the usual case by far; only for the others the path is looked for.
    if intended == live or (live is None and intended == ""):
        return None
    # The API server leaves out empty maps, lists and strings; a `false` it keeps, and one that is gone was taken away.
    if isinstance(intended, Mapping):
        return _of_maps(intended, {} if live is None else live, path)
    if isinstance(intended, Sequence) and not isinstance(intended, str):
        return _of_lists(intended, () if live is None else live, path)
    return path


def _of_maps(intended: Mapping[str, Any], live: Any, path: str) -> str | None:
    if not isinstance(live, Mapping) or (path.endswith(ATOMIC) and live.keys() != intended.keys()):
        return path
    for key, value in intended.items():
        other = live.get(key)
        if path.endswith(AMOUNTS) and _is_same_amount(value, other):
            continue
        if (found := drift(value, other, path=f"{path}.{key}")) is not None:
            return found
    return None


def _of_lists(intended: Sequence[Any], live: Any, path: str) -> str | None:
    if not isinstance(live, Sequence) or isinstance(live, str) or len(live) != len(intended):
        return path
    for index, (value, other) in enumerate(zip(intended, live, strict=True)):
        if (found := drift(value, other, path=f"{path}[{index}]")) is not None:
            return found
    return None


def _is_same_amount(intended: Any, live: Any) -> bool:
    """Whether the API server only writes it in another way."""
    try:
        return parse_quantity(str(intended)) == parse_quantity(str(live))
    except ValueError:
        return False
