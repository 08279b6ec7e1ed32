"""Where results and pages go."""

from __future__ import annotations

from pathlib import Path
from typing import Final

REPOSITORY: Final = Path(__file__).resolve().parents[1]
FOLDER: Final = REPOSITORY / "build" / "bench"
PAGES: Final = REPOSITORY / "docs" / "benchmarks"
