"""A real Triton as a process of this machine, on loopback: the server of the embedded cluster, without a cluster."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
import venv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from e2e.cluster import wheels
from e2e.cluster.artefacts import Artefacts, key_of
from e2e.cluster.commands import run
from e2e.cluster.errors import ClusterError
from e2e.cluster.images import IMAGES
from e2e.cluster.paths import cache_folder
from e2e.cluster.progress import Progress
from e2e.load import Target
from e2e.own_process import free_ports, stop

START_SECONDS: Final = 120.0
STOP_SECONDS: Final = 40.0
DRAIN_SECONDS: Final = 60.0


class NotStartedError(Exception):
    """The server ended, or did not get ready; the message has the end of its log."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server that is ready."""

    http_port: int
    metrics_port: int
    log: Path

    def infer(self, model: str) -> Target:
        """Where the requests for a model go."""
        return Target("127.0.0.1", self.http_port, f"/v2/models/{model}/infer")

    def get(self, path: str) -> str:
        """The body of an answer of the HTTP API."""
        return _get(f"http://127.0.0.1:{self.http_port}/{path}")

    def metrics(self) -> str:
        """What it tells of itself."""
        return _get(f"http://127.0.0.1:{self.metrics_port}/metrics")

    def until_idle(self) -> None:
        """Waits until nothing is queued: what a load left behind is not the next one's."""
        ends = time.monotonic() + DRAIN_SECONDS
        while _pending(self.metrics()) > 0:
            if time.monotonic() > ends:
                raise NotStartedError(f"requests still wait after {DRAIN_SECONDS:g} s; the log is {self.log}")
            time.sleep(0.1)


def install(progress: Progress) -> Path:
    """A folder laid out like /opt/tritonserver of the image, made now unless it is there."""
    image, artefacts = IMAGES["triton"], Artefacts(cache_folder() / "artefacts")
    if image.requirements is None:
        raise ClusterError("the image triton is made of Python packages, and none are listed")
    packages = wheels.download(image.name, image.requirements, artefacts, progress)
    if packages is None:
        raise ClusterError(f"the server's Python backend is made for Python 3.11, and this is {sys.version.split()[0]}")

    def make(folder: Path) -> None:
        with progress.step("unpacking Triton"):
            _unpack(folder, image.requirements or Path(), packages)

    return artefacts.ensure("local-triton", key_of(image.requirements, image.context, "1"), make)


def _unpack(folder: Path, requirements: Path, packages: Path) -> None:
    """As the Containerfile of the image does it."""
    site = folder / "python"
    offline = ["--no-index", f"--find-links={packages}", "--no-deps", "--require-hashes"]
    words = [sys.executable, "-m", "pip", "install", "--quiet", *offline, f"--target={site}"]
    run([*words, "--requirement", str(requirements)])
    server = site / "pytriton" / "tritonserver"
    for name in ("bin", "backends", "caches"):
        shutil.move(server / name, folder / name)
    shutil.move(site / "nvidia_pytriton.libs", folder / "lib")
    stub = server / "python_backend_stubs" / "3.11" / "triton_python_backend_stub"
    shutil.move(stub, folder / "backends" / "python" / stub.name)
    shutil.copytree(IMAGES["triton"].context / "backends", folder / "backends", dirs_exist_ok=True)


def _interpreter(root: Path, folder: Path) -> Path:
    """The folder of a Python that sees the server's own packages, and none of ours.

    The stub runs an isolated interpreter, which ignores PYTHONPATH; it takes the first python3 of PATH for its own.
    """
    venv.create(folder, symlinks=True)
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "triton.pth").write_text(f"{root / 'python'}\n", encoding="utf-8")
    return folder / "bin"


def model_repository(folder: Path, model: str, config: str, file: Path, *, named: str = "") -> Path:
    """A model repository in the folder: version 1 of one model, its config.pbtxt and its file, named as its backend
    looks for it."""
    version = folder / "models" / model / "1"
    version.mkdir(parents=True)
    (version.parent / "config.pbtxt").write_text(config, encoding="utf-8")
    shutil.copy(file, version / (named or file.name))
    return folder / "models"


@contextmanager
def serving(
    root: Path,
    repository: Path,
    *,
    flags: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    gpu: bool = False,
) -> Iterator[Server]:
    """The server with the models of a repository, from ready until it has ended; NotStartedError where it is not.

    It sees the machine's GPUs where it is told to: any value of TRITON_SERVER_CPU_ONLY hides them.
    """
    http, grpc, metrics = free_ports(3)
    work = repository.parent / f"{repository.name}.server"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    server = Server(http, metrics, work / "log")
    words = [
        str(root / "bin" / "tritonserver"),
        f"--model-repository={repository}",
        f"--backend-directory={root / 'backends'}",
        f"--cache-directory={root / 'caches'}",
        *(f"--{name}-address=127.0.0.1" for name in ("http", "grpc", "metrics")),
        *(f"--{name}-port={port}" for name, port in (("http", http), ("grpc", grpc), ("metrics", metrics))),
        *flags,
    ]
    path = os.pathsep.join((str(_interpreter(root, work / "python")), os.environ.get("PATH", "")))
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    libraries = os.pathsep.join(filter(None, (str(root / "lib"), os.environ.get("LD_LIBRARY_PATH", ""))))
    hidden = {} if gpu else {"TRITON_SERVER_CPU_ONLY": "1"}
    own = {"PATH": path, "LD_LIBRARY_PATH": libraries, **hidden, **(environment or {})}
    with server.log.open("w", encoding="utf-8") as log:
        process = subprocess.Popen(words, env={**inherited, **own}, stdout=log, stderr=subprocess.STDOUT)
        try:
            _until_ready(process, server)
            yield server
        finally:
            stop(process, grace_seconds=STOP_SECONDS)


def _until_ready(process: subprocess.Popen[bytes], server: Server) -> None:
    ends = time.monotonic() + START_SECONDS
    while time.monotonic() < ends and process.poll() is None:
        try:
            server.get("v2/health/ready")
            _get(f"http://127.0.0.1:{server.metrics_port}/metrics")  # its port opens after that of HTTP
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.05)
        else:
            return
    told = server.log.read_text(encoding="utf-8", errors="replace")[-2_000:]
    raise NotStartedError(f"tritonserver is not ready (exit code {process.poll()}):\n{told}")


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5.0) as answer:  # noqa: S310 - loopback, and our own URL
        return str(answer.read().decode())


def _pending(metrics: str) -> float:
    lines = (line for line in metrics.splitlines() if line.startswith("nv_inference_pending_request_count{"))
    return sum(float(line.rpartition(" ")[2]) for line in lines)
