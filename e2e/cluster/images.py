"""The container images: built by buildah from Containerfiles, cached as archives, imported into containerd."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from . import base, wheels
from .artefacts import Artefacts, key_of
from .buildah import Buildah, spoiled
from .commands import run
from .errors import ClusterError, CommandFailed
from .mounts import remove_tree
from .paths import CONTAINERD_SOCKET, HERE, REPOSITORY, STATE
from .progress import Progress

IMPORTED: Final = STATE / "images"  # one file per image: the key of what containerd has
FOLDER: Final = HERE / "images"


@dataclass(frozen=True, slots=True)
class Image:
    """How one image is made, and from what; it is made anew when one of the inputs changes."""

    name: str
    reference: str
    containerfile: Path
    context: Path
    inputs: tuple[Path, ...]
    requirements: Path | None = None  # an image with Python packages stands on the base image; the others on nothing
    program: str = ""  # or: it holds just this static program

    def key(self, programs: Path) -> str:
        made_from: list[str | Path] = [self.reference, self.containerfile, *self.inputs]
        if self.requirements:
            made_from += [self.requirements, base.key()]
        elif self.program:
            made_from.append(str(programs))
        return key_of(*made_from)


IMAGES: Final = {
    image.name: image
    for image in (
        Image(
            "pause",
            "localhost/foretide/pause:1",
            FOLDER / "pause/Containerfile",
            FOLDER / "pause",
            (),
            program="catatonit",
        ),
        Image(
            "prometheus",
            "localhost/foretide/prometheus:3.10",
            FOLDER / "prometheus/Containerfile",
            FOLDER / "prometheus",
            (),
            program="prometheus",
        ),
        Image(
            "rclone",
            "localhost/foretide/rclone:1.76",
            FOLDER / "rclone/Containerfile",
            FOLDER / "rclone",
            (),
            program="rclone",
        ),
        Image(
            "alertmanager",
            "localhost/foretide/alertmanager:0.31",
            FOLDER / "alertmanager/Containerfile",
            FOLDER / "alertmanager",
            (),
            program="alertmanager",
        ),
        Image(
            "triton",
            "localhost/foretide/tritonserver:2.51-cpu",
            FOLDER / "triton/Containerfile",
            FOLDER / "triton",
            (FOLDER / "triton/backends", FOLDER / "triton/cpu"),
            requirements=FOLDER / "triton/requirements.txt",
        ),
        Image(
            "operator",
            "localhost/foretide/operator:dev",
            REPOSITORY / "operator/Containerfile",
            REPOSITORY,
            (REPOSITORY / "operator/foretide",),
            requirements=REPOSITORY / "requirements/operator.txt",
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Builder:
    """Builds images and keeps them as archives in the cache."""

    artefacts: Artefacts
    cache: Path
    progress: Progress

    @property
    def buildah(self) -> Buildah:
        return Buildah(self.cache)

    def archive(self, image: Image, programs: Path) -> Path:
        """The image as an archive that containerd can import, made now unless nothing changed."""

        def make(folder: Path) -> None:
            packages = self.packages(image)
            try:
                self._make(image, packages, programs, folder)
            except CommandFailed as error:
                if not spoiled(error):
                    raise
                self.progress.say("buildah stumbled over what it had kept of earlier builds; once more without that.")
                self.buildah.discard_storage()
                self._make(image, packages, programs, folder)

        return self.artefacts.ensure(f"image-{image.name}", image.key(programs), make) / "image.tar"

    def packages(self, image: Image) -> Path | None:
        """The Python packages for an image, downloaded now unless they are there."""
        if image.requirements is None:
            return None
        return wheels.download(image.name, image.requirements, self.artefacts, self.progress)

    def root(self) -> Path:
        """The root file system of the base image, made now unless it is there."""
        return base.build(self.artefacts, self.cache, self.progress)

    def _make(self, image: Image, packages: Path | None, programs: Path, folder: Path) -> None:
        options = [f"--tag={image.reference}", f"--file={image.containerfile}"]
        if image.requirements:
            options.append(f"--build-arg=BASE={self._base()}")
        if packages:
            options.append(f"--build-context=wheels={packages}")
        with self.progress.step(f"building the image {image.reference}") as step:
            context = image.context
            if image.program:
                context = folder / "context"
                context.mkdir(exist_ok=True)
                shutil.copy(find_program(image.program, programs), context / image.program)
            self.buildah.build([*options, str(context)], self.cache / "log" / f"image-{image.name}.log", step.note)
            step.note("exporting")
            archive = f"docker-archive:{folder}/image.tar:{image.reference}"
            (folder / "image.tar").unlink(missing_ok=True)
            self.buildah.run("push", "--quiet", image.reference, archive)
            if image.program:
                remove_tree(context)

    def _base(self) -> str:
        """The name of the base image in buildah's storage, loaded now unless it is there."""
        reference = f"localhost/foretide/base:{base.key()}"
        if not self.buildah.has(reference):
            archive = self.root()
            with self.progress.step("loading the base image"):
                container = self.buildah.run("from", "scratch").strip()
                self.buildah.run("add", "--quiet", container, str(archive), "/")
                self.buildah.run("commit", "--quiet", "--rm", container, reference)
        return reference


def find_program(name: str, programs: Path) -> Path:
    """A program of ours, or of a Debian package."""
    if (programs / name).exists():
        return programs / name
    found = shutil.which(name)
    if found is None:
        raise ClusterError(f"The program {name} is missing: install the Debian package {name}.")
    return Path(found)


def import_missing(archives: Iterable[tuple[Image, str, Path]], progress: Progress) -> tuple[str, ...]:
    """containerd has every image afterwards; the references of those that had to be imported."""
    present = set(_ctr("images", "list", "--quiet").split())
    imported = []
    IMPORTED.mkdir(parents=True, exist_ok=True)
    for image, key, archive in archives:
        mark = IMPORTED / image.name
        if image.reference in present and mark.exists() and mark.read_text() == key:
            continue
        with progress.step(f"importing {image.reference} into containerd"):
            _ctr("images", "import", str(archive))
        mark.write_text(key)
        imported.append(image.reference)
    return tuple(imported)


def _ctr(*words: str) -> str:
    return run(["ctr", "--address", CONTAINERD_SOCKET, "--namespace", "k8s.io", *words])
