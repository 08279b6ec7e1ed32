"""Writes the CustomResourceDefinitions from the models: `python -m foretide.api.crdgen [--check] [FOLDER]`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import yaml

from foretide.api import group
from foretide.api.crdenvelope import definitions
from foretide.api.generated import keep

# Helm reads nothing outside of the chart, so the chart has its own copy.
_FOLDERS: Final = ("crds", "charts/foretide/files/crds")
_HEADER: Final = "# Generated from operator/foretide/api by `python -m foretide.api.crdgen`; do not edit.\n"


def rendered() -> dict[str, str]:
    """The text of every file of crds/ by its name."""
    return {
        f"{group.GROUP}_{name.removesuffix(f'.{group.GROUP}')}.yaml": _HEADER + _yaml(document)
        for name, document in definitions().items()
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the files, or with --check say which of them differ; the exit status is 1 if any does."""
    parser = argparse.ArgumentParser(prog="python -m foretide.api.crdgen", description=__doc__)
    parser.add_argument("folders", nargs="*", default=_FOLDERS, type=Path, help=f"default: {' '.join(_FOLDERS)}")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file is not up to date")
    options = parser.parse_args(arguments)
    wanted = {Path(folder) / name: text for folder in options.folders for name, text in rendered().items()}
    return keep(wanted, check=options.check, fix="make crds")


class _Dumper(yaml.SafeDumper):
    """Repeats what occurs twice: an anchor saves lines and costs readers."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _yaml(document: object) -> str:
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True)


if __name__ == "__main__":
    sys.exit(main())
