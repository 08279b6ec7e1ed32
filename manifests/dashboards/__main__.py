"""Writes the chart's dashboards: `python -m manifests.dashboards [--check]`."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from foretide.api.generated import keep
from manifests.dashboards.fleet import FLEET
from manifests.dashboards.operator import OPERATOR
from manifests.dashboards.service import SERVICE

FOLDER: Final = Path(__file__).resolve().parents[2] / "charts" / "foretide" / "files" / "dashboards"
EVERY: Final = (FLEET, SERVICE, OPERATOR)


def rendered() -> dict[str, str]:
    """The text of each file by its name."""
    return {f"{board.uid}.json": json.dumps(board.as_json(), indent=1, ensure_ascii=False) + "\n" for board in EVERY}


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the files, or with --check say which of them differ; the exit status is 1 if any does."""
    parser = argparse.ArgumentParser(prog="python -m manifests.dashboards", description=__doc__)
    parser.add_argument("folder", nargs="?", default=FOLDER, type=Path, help=f"default: {FOLDER.name}/ of the chart")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file is not up to date")
    options = parser.parse_args(arguments)
    wanted = {options.folder / name: text for name, text in rendered().items()}
    return keep(wanted, check=options.check, fix="make pages")


if __name__ == "__main__":
    sys.exit(main())
