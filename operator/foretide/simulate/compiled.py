"""The one door to numba: typed, cached on disk, and without options that could change a result."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar, cast

import numba

# Compiled code takes its options and constants from them.
CONSTANTS: Final = (
    "compiled.py",
    "fluid_columns.py",
    "fluid_grid.py",
    "fluid_saturation.py",
    "fluid_table.py",
    "scenario.py",
    "state.py",
)

F = TypeVar("F", bound=Callable[..., object])


def sources() -> list[Path]:
    """The modules that compiled code is made of; the others may change without a compilation of a minute."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return [file for file in files if file.name in CONSTANTS or b"simulate.compiled import" in file.read_bytes()]


def _cache_folder() -> Path:
    """One for each text of those modules.

    numba compares only the file of a function itself: with one folder for all, a caller that was compiled before
    would go on with what it called then.
    """
    text = hashlib.sha256()
    for file in sources():
        text.update(file.read_bytes())
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home / "foretide" / "numba" / text.hexdigest()[:16]


CACHE_FOLDER: Final = _cache_folder()
IS_NEW: Final = not CACHE_FOLDER.is_dir()  # looked at now: numba makes it with the first function
numba.config.CACHE_DIR = str(CACHE_FOLDER)


def compiled(function: F) -> F:
    """The function as machine code. No fast-math: the same seed must give the same bits on every machine."""
    return cast(F, numba.njit(cache=True, nogil=True, error_model="numpy")(function))


def inlined(function: F) -> F:
    """The same, put into its callers: each array that a call hands on costs 10 ns of reference counting."""
    return cast(F, numba.njit(cache=True, nogil=True, error_model="numpy", forceinline=True)(function))


def spliced(function: F) -> F:
    """Put into its callers before their types are known: a tuple of records cannot be returned from a call."""
    return cast(F, numba.njit(inline="always")(function))
