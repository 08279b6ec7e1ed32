"""Waits for a condition with a deadline, and shows what was there instead when it does not come."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import yaml

T = TypeVar("T")


def until(
    what: str,
    probe: Callable[[], T | None],
    *,
    within_seconds: float,
    shows: Callable[[], object] | None = None,
    every_seconds: float = 0.2,
) -> T:
    """The first answer of `probe` that is not None or False; AssertionError with what `shows` returns otherwise."""
    began = time.monotonic()
    deadline = began + within_seconds
    while True:
        answer = probe()
        if answer is not None and answer is not False:
            print(f"{time.monotonic() - began:5.1f} s until {what}")  # pytest shows it when the test fails later
            return answer
        if time.monotonic() > deadline:
            seen = "" if shows is None else f"; there is:\n{shown(shows())}"
            raise AssertionError(f"{what}: not within {within_seconds:g} s{seen}")
        time.sleep(every_seconds)


def shown(obj: object) -> str:
    """An object for people: YAML without what nobody reads in a failure."""
    return yaml.safe_dump(_plain(obj), sort_keys=False, width=160) if isinstance(obj, Mapping | list) else str(obj)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items() if key != "managedFields"}
    return [_plain(entry) for entry in value] if isinstance(value, list | tuple) else value
