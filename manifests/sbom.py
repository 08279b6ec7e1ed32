"""Writes what is in the operator's image, and under which licences: `python -m manifests.sbom [FOLDER]`.

A bill of materials in CycloneDX (1.6, JSON) and a table of licences: the operator and its Python packages as they are
locked in requirements/operator.txt. The base image (Debian, Python) has lists of its own.
"""

from __future__ import annotations

import argparse
import json
import sys
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from packaging.requirements import Requirement

ROOT: Final = Path(__file__).resolve().parents[1]
LOCKED: Final = ROOT / "requirements" / "operator.txt"
FOLDER: Final = ROOT / "build" / "sbom"
# What the Containerfile takes out again: LightGBM's Python package asks for it, its library does not.
REMOVED: Final = ("scipy", "narwhals")
# A text of a licence in place of its name is no name.
LONGEST_NAME: Final = 60


@dataclass(frozen=True, slots=True)
class Package:
    """One package of the image; `licence` as the package itself names it."""

    name: str
    version: str
    licence: str
    is_expression: bool  # of SPDX; else a name

    @property
    def component(self) -> dict[str, Any]:
        """As CycloneDX has it."""
        licence = {"expression": self.licence} if self.is_expression else {"license": {"name": self.licence}}
        return {
            "type": "library",
            "name": self.name,
            "version": self.version,
            "purl": f"pkg:pypi/{self.name}@{self.version}",
            "licenses": [licence],
        }


def packages() -> list[Package]:
    """Of the image, for Linux.

    Raises PackageNotFoundError for one that is locked and not installed here, ValueError for one without a licence.
    """
    return [
        Package(name, version, *_licence(name))
        for name, version in _locked(LOCKED.read_text(encoding="utf-8"))
        if name not in REMOVED
    ]


def _locked(text: str) -> Iterator[tuple[str, str]]:
    """Names and versions, without those of other systems and versions of Python."""
    for line in text.splitlines():
        if line and not line.startswith((" ", "#")):
            asked = Requirement(line.removesuffix("\\").strip())
            if asked.marker is None or asked.marker.evaluate():
                (pin,) = asked.specifier
                yield asked.name, pin.version


def _licence(name: str) -> tuple[str, bool]:
    """The expression where there is one (then True), else the classifiers, else a short name."""
    about = metadata.metadata(name)
    if expression := about.get_all("License-Expression"):
        return str(expression[0]), True
    classifiers = [each for each in about.get_all("Classifier") or () if each.startswith("License ::")]
    names = [each.rpartition(" :: ")[2] for each in classifiers if not each.endswith("OSI Approved")]
    if names:
        return " and ".join(names), False
    given = "".join(about.get_all("License") or ()).strip()
    if not given or "\n" in given or len(given) > LONGEST_NAME:
        raise ValueError(f"{name}: its metadata names no licence: {given[:LONGEST_NAME]!r}")
    return given, False


def bill(found: Sequence[Package]) -> dict[str, Any]:
    """The bill of materials."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    about = {
        "type": "container",
        "name": "foretide-operator",
        "version": project["version"],
        "licenses": [{"license": {"id": project["license"]}}],
    }
    components = [package.component for package in found]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": about},
        "components": components,
    }


def table(found: Sequence[Package]) -> str:
    """The licences as a page."""
    rows = "".join(f"| {each.name} | {each.version} | {each.licence} |\n" for each in found)
    return f"# Licences of what is in the operator's image\n\n| package | version | licence |\n|---|---|---|\n{rows}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write both files."""
    parser = argparse.ArgumentParser(prog="python -m manifests.sbom", description=__doc__)
    parser.add_argument("folder", nargs="?", default=FOLDER, type=Path, help="default: build/sbom")
    folder = parser.parse_args(arguments).folder
    folder.mkdir(parents=True, exist_ok=True)
    found = packages()
    (folder / "foretide-operator.cdx.json").write_text(json.dumps(bill(found), indent=2) + "\n", encoding="utf-8")
    (folder / "licences.md").write_text(table(found), encoding="utf-8")
    sys.stdout.write(f"{folder}: {len(found)} packages\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
