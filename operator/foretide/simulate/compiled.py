"""The one door to numba: typed, cached on disk, and without options that could change a result."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., object])


def _cache_folder() -> Path:
    """One for each text of this package.

    numba compares only the file of a function itself: with one folder for all, a caller that was compiled before
    would go on with what it called then.
    """
    text = hashlib.sha256()
    for file in sorted(Path(__file__).parent.glob("*.py")):
        text.update(file.read_bytes())
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home / "foretide" / "numba" / text.hexdigest()[:16]


numba.config.CACHE_DIR = str(_cache_folder())


def compiled(function: F) -> F:
    """The function as machine code. No fast-math: the same seed must give the same bits on every machine."""
    return cast(F, numba.njit(cache=True, nogil=True, error_model="numpy")(function))


def inlined(function: F) -> F:
    """The same, put into its callers: each array that a call hands on costs 10 ns of reference counting."""
    return cast(F, numba.njit(cache=True, nogil=True, error_model="numpy", forceinline=True)(function))


def spliced(function: F) -> F:
    """Put into its callers before their types are known: a tuple of records cannot be returned from a call."""
    return cast(F, numba.njit(inline="always")(function))
