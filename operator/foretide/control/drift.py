"""Whether a live object still says what its manifest says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

# Maps that the API replaces as a whole: one more label in a Service's selector, and it has no endpoints.
ATOMIC: Final = (".selector", ".matchLabels", ".nodeSelector")


def drift(intended: Any, live: Any, *, path: str = "") -> str | None:
    """The path of the first intended value that the live object lacks, or None.

    Fields that only the live object has are other writers' (or the API server's defaults) and no drift.
    A quantity that the API server rewrites (0.5 -> 500m) reads as drift for ever; that costs one apply an
    event and no loop, because an apply that changes nothing makes no event.
    """
    if intended == live:
        return None  # as nearly always, and told in a tenth of the time
    # The API server leaves out empty maps, lists and strings; a `false` it keeps, and one that is gone was taken away.
    if isinstance(intended, Mapping):
        return _of_map(intended, {} if live is None else live, path)
    if isinstance(intended, Sequence) and not isinstance(intended, str):
        return _of_list(intended, () if live is None else live, path)
    return None if live is None and intended == "" else path


def _of_map(intended: Mapping[str, Any], live: Any, path: str) -> str | None:
    if not isinstance(live, Mapping):
        return path
    if path.endswith(ATOMIC) and live.keys() != intended.keys():
        return path
    for key, value in intended.items():
        if (found := drift(value, live.get(key), path=f"{path}.{key}")) is not None:
            return found
    return None


def _of_list(intended: Sequence[Any], live: Any, path: str) -> str | None:
    if not isinstance(live, Sequence) or isinstance(live, str) or len(live) != len(intended):
        return path
    for index, (value, other) in enumerate(zip(intended, live, strict=True)):
        if (found := drift(value, other, path=f"{path}[{index}]")) is not None:
            return found
    return None
