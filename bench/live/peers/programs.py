"""Builds KEDA and prometheus-adapter from their Go modules, and puts each program into an image."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from e2e.cluster import binaries, images, tools
from e2e.cluster.artefacts import Artefacts
from e2e.cluster.images import Builder, Image
from e2e.cluster.lock import exclusive
from e2e.cluster.paths import cache_folder
from e2e.cluster.progress import Progress
from e2e.cluster.tools import Module

HERE: Final = Path(__file__).resolve().parent
KEDA: Final = "github.com/kedacore/keda/v2"
ADAPTER: Final = "sigs.k8s.io/prometheus-adapter"
VERSIONS: Final = {KEDA: "2.21.0", ADAPTER: "0.12.0"}

MODULES: Final = (
    Module(HERE / "keda", KEDA, {"operator": "keda", "adapter": "keda-adapter"}),
    Module(HERE / "prometheus-adapter", ADAPTER, {"adapter": "prometheus-adapter"}),
)


def image(program: str) -> str:
    """The reference of the image that holds just this program."""
    version = VERSIONS[ADAPTER if program == "prometheus-adapter" else KEDA]
    return f"localhost/foretide/{program}:{version}"


@dataclass(frozen=True, slots=True)
class Built:
    """Where the sources of each module lie, for the manifests in them."""

    sources: dict[str, Path]


def build(progress: Progress) -> Built:
    """Every program is built and its image in the running cluster; does only what is missing (10 min at first)."""
    cache = cache_folder()
    go = binaries.find_go(cache)
    artefacts = Artefacts(cache / "artefacts")
    builder = Builder(artefacts, cache, progress)
    sources: dict[str, Path] = {}
    made: list[tuple[Image, str, Path]] = []
    with exclusive(progress.say):
        for module in MODULES:
            programs = tools.build(module, go, artefacts, cache, progress)
            sources[module.path] = tools.source(module, go)
            for program in module.names.values():
                entry = Image(program, image(program), HERE / "Containerfile", HERE, (), program=program)
                with builder.buildah.storage():
                    made.append((entry, entry.key(programs), builder.archive(entry, programs)))
        images.import_missing(made, progress)
    return Built(sources)
