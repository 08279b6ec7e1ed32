"""The container images: built by buildah from Containerfiles, cached as archives, imported into containerd."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from . import base, wheels
from .artefacts import Artefacts, key_of
from .commands import run
from .errors import ClusterError, CommandFailed
from .mounts import remove_tree
from .paths import CONTAINERD_SOCKET, HERE, REPOSITORY, RUN, STATE
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
            "triton",
            "localhost/foretide/tritonserver:2.51-cpu",
            FOLDER / "triton/Containerfile",
            FOLDER / "triton",
            (FOLDER / "triton/backends",),
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
    """Builds images; one at a time, since they share buildah's storage inside the cache."""

    artefacts: Artefacts
    cache: Path
    progress: Progress

    def archive(self, image: Image, programs: Path) -> Path:
        """The image as an archive that containerd can import, made now unless nothing changed."""

        def make(folder: Path) -> None:
            packages = self.packages(image)
            arguments: list[str] = []
            if image.requirements:
                arguments.append(f"--build-arg=BASE={self._base()}")
            if packages:
                arguments.append(f"--build-context=wheels={packages}")
            with self.progress.step(f"building the image {image.reference}") as step:
                context = image.context
                if image.program:
                    context = folder / "context"
                    context.mkdir()
                    shutil.copy(find_program(image.program, programs), context / image.program)
                self._build(image, arguments, context, step.note)
                step.note("exporting")
                self._buildah(
                    "push", "--quiet", image.reference, f"docker-archive:{folder}/image.tar:{image.reference}"
                )
                if image.program:
                    remove_tree(context)

        return self.artefacts.ensure(f"image-{image.name}", image.key(programs), make) / "image.tar"

    def packages(self, image: Image) -> Path | None:
        """The Python packages for an image, downloaded now unless they are there."""
        if image.requirements is None:
            return None
        return wheels.download(image.name, image.requirements, self.artefacts, self.progress)

    def root(self) -> Path:
        return base.build(self.artefacts, self.cache, self.progress)

    def _base(self) -> str:
        """The name of the base image in buildah's storage, loaded now unless it is there."""
        reference = f"localhost/foretide/base:{base.key()}"
        if reference not in self._buildah("images", "--format", "{{.Name}}:{{.Tag}}").split():
            archive = self.root()
            with self.progress.step("loading the base image"):
                container = self._buildah("from", "scratch").strip()
                self._buildah("add", "--quiet", container, str(archive), "/")
                self._buildah("commit", "--quiet", "--rm", container, reference)
        return reference

    def _build(self, image: Image, arguments: Sequence[str], context: Path, note: Callable[[str], None]) -> None:
        words = self._words("build", "--layers", "--pull-never", "--tag", image.reference, *arguments)

        def show(line: str) -> None:
            if line.startswith(("STEP ", "[")):
                note(line.split(":")[0].lower())

        log = self.cache / "log" / f"image-{image.name}.log"
        command = [*words, "--file", str(image.containerfile), str(context)]
        try:
            run(command, env=self._environment(), log=log, on_line=show)
        except CommandFailed as error:
            sentence = f"The image {image.name} does not build: {cause(error.output)} (log: {log})"
            raise CommandFailed(sentence, error.output, killed=error.killed) from error

    def _buildah(self, *words: str) -> str:
        return run(self._words(*words), env=self._environment())

    def _words(self, *words: str) -> list[str]:
        storage = self.cache / "buildah"
        return ["buildah", f"--root={storage}", f"--runroot={RUN}/buildah", *words]

    def _environment(self) -> dict[str, str]:
        temporary = self.cache / "tmp"
        temporary.mkdir(parents=True, exist_ok=True)
        # buildah makes this folder even for builds without a network of their own; the default is in /etc.
        configuration = temporary / "containers.conf"
        configuration.write_text(f'[network]\nnetwork_config_dir = "{temporary}/cni"\n')
        variables = {"BUILDAH_ISOLATION": "chroot", "TMPDIR": str(temporary), "CONTAINERS_CONF": str(configuration)}
        return {**os.environ, **variables}

    @contextmanager
    def storage(self) -> Iterator[None]:
        """Around builds: buildah's storage, emptied if a build in it was killed: half a layer spoils later ones."""
        in_use = self.cache / "buildah.in-use"
        if in_use.exists():
            remove_tree(self.cache / "buildah")
            remove_tree(RUN / "buildah")
        remove_tree(self.cache / "tmp")
        self.cache.mkdir(parents=True, exist_ok=True)
        in_use.touch()
        try:
            yield
        except CommandFailed as error:
            if not error.killed:  # a mistake in the Containerfile or the code: buildah has cleaned up
                in_use.unlink()
            raise
        in_use.unlink()
        remove_blob_cache()


def remove_blob_cache(containers: Path = Path("/var/lib/containers")) -> None:
    """Removes the note of pushed layers that buildah writes outside its root, unless podman lives there."""
    if not (containers / "storage").exists():
        (containers / "cache" / "blob-info-cache-v1.boltdb").unlink(missing_ok=True)
        for folder in (containers / "cache", containers):
            with suppress(OSError):
                folder.rmdir()


def cause(output: str) -> str:
    """The last line before buildah's own, which repeats the whole step and says `exit status 1`."""
    lines = output.splitlines()
    said = [line for line in lines if line and not line.startswith(("Error: ", "subprocess exited", "STEP ", "["))]
    return (said or lines or ["it printed nothing"])[-1]


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
