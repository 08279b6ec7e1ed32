"""One service whose objects are not as they should be harms no other."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final, TypeVar

from foretide.control.world import Key

log: Final = logging.getLogger(__name__)

T = TypeVar("T")


def of_one(key: Key, look: Callable[[], T], *, otherwise: T) -> T:
    """A look at the objects of one service: one that is not as it should be must not fail the tick of all."""
    try:
        return look()
    except Exception:
        log.exception("%s/%s: an object of the service cannot be read; it counts as absent", *key)
        return otherwise
