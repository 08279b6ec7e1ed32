"""Builds every Go program of the cluster: from one go.mod of tool lines, rclone and kwok each from one of its own.

Together they would have to agree on the versions of what both are made from.
"""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .artefacts import Artefacts, key_of
from .commands import run
from .errors import ClusterError, CommandFailed
from .paths import HERE
from .progress import Progress

MODULE: Final = HERE / "go"
RCLONE: Final = HERE / "rclone"
KWOK: Final = HERE / "kwok"  # of control planes without nodes only: built when one is wanted
OLDEST_GO: Final = (1, 26)
# Of its own module: a node is Ready, a pod is Ready as soon as it has a node, and gone as soon as it is told to go.
KWOK_STAGES: Final = (
    "node/fast/node-initialize.yaml",
    "node/heartbeat/node-heartbeat.yaml",
    *(f"pod/fast/pod-{name}.yaml" for name in ("ready", "complete", "delete")),
)
KUBERNETES: Final = re.compile(r"^\s*k8s\.io/kubernetes v(1\.(\d+)\.\d+)", re.MULTILINE)
NETWORK_TROUBLE: Final = re.compile(
    r"dial tcp|no such host|i/o timeout|connection refused|connection reset|proxyconnect|network is unreachable"
    r"|TLS handshake|Client\.Timeout|x509:"
)

# Of Prometheus' service discovery only that of Kubernetes: without the software kits of two dozen clouds.
TAGS: Final = "remove_all_sd,enable_kubernetes_sd"
# The linker drops debug information anyway (-s -w); not making it saves 13 % of the compile time.
COMPILE: Final = "-gcflags=all=-dwarf=false"


@dataclass(frozen=True, slots=True)
class Go:
    """The Go tool of this machine, with caches of its own inside the cluster's cache folder."""

    program: Path
    version: tuple[int, int]
    environment: dict[str, str]


def parse_go_version(text: str) -> tuple[int, int]:
    """`go version` or `go env GOVERSION` as (major, minor); (0, 0) if it is not to be understood."""
    found = re.search(r"go(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def find_go(cache: Path) -> Go:
    """The Go tool, new enough for go.mod; raises with the fix if there is none."""
    # sudo resets PATH, and /usr/local/go/bin, where go.dev says to install it, is not in what it resets it to.
    program = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    fix = f"install Go {OLDEST_GO[0]}.{OLDEST_GO[1]} or newer from https://go.dev/dl and put it on PATH."
    if program is None:
        raise ClusterError(f"There is no `go` on PATH: {fix}")
    environment = {
        **os.environ,
        "CGO_ENABLED": "0",
        "GOMODCACHE": str(cache / "go" / "mod"),
        "GOCACHE": str(cache / "go" / "build"),
        "GOFLAGS": "-modcacherw -buildvcs=false",  # else the cache cannot be deleted with rm -r
        "GOWORK": "off",
    }
    try:
        # Inside the module: a Go of another version may switch to the one that go.mod asks for.
        text = run([program, "env", "GOVERSION"], cwd=MODULE, env=environment)
    except CommandFailed as error:
        raise ClusterError(f"`{program} env` failed ({error.output.splitlines()[-1:]}): {fix}") from error
    version = parse_go_version(text)
    if version < OLDEST_GO:
        raise ClusterError(f"{program} is version {text.strip()}: {fix}")
    return Go(Path(program), version, environment)


def go_mod() -> str:
    return (MODULE / "go.mod").read_text()


def ldflags(go_mod: str) -> str:
    """Linker flags: no debug information, and the version of Kubernetes, else v0.0.0 (clients then misbehave)."""
    found = KUBERNETES.search(go_mod)
    if found is None:
        raise ClusterError(
            f"{MODULE}/go.mod does not require k8s.io/kubernetes v1.x.y; restore it from the repository."
        )
    package = "k8s.io/component-base/version"
    return f"-s -w -X {package}.gitVersion=v{found[1]} -X {package}.gitMajor=1 -X {package}.gitMinor={found[2]}"


def key(go: Go) -> str:
    """Changes when the programs could come out different."""
    return key_of(MODULE / "go.mod", MODULE / "go.sum", RCLONE, ldflags(go_mod()), TAGS, str(go.version))


def build(go: Go, artefacts: Artefacts, cache: Path, progress: Progress) -> Path:
    """The folder with the programs, built now unless nothing changed; etcd is called etcd."""
    name = key(go)
    if artefacts.has("bin", name):
        return artefacts.path("bin", name)
    with progress.step(
        "building Kubernetes, etcd, CoreDNS, Prometheus, Alertmanager, Helm, kubectl and rclone from Go modules"
    ) as step:
        seen = 0

        def count(line: str) -> None:
            nonlocal seen
            if line.startswith("go: downloading"):
                step.note("downloading modules")
            elif line:  # -v prints the name of each package as it is compiled
                seen += 1
                step.note(f"{seen} packages compiled")

        def make(folder: Path) -> None:
            build = [str(go.program), "build", "-trimpath", "-v", COMPILE]
            log = cache / "log" / "go-build.log"
            words = [*build, f"-tags={TAGS}", f"-ldflags={ldflags(go_mod())}", "-o", f"{folder}/", "tool"]
            run(words, cwd=MODULE, env=go.environment, log=log, on_line=count)
            words = [*build, "-ldflags=-s -w", "-o", f"{folder}/rclone", "."]
            run(words, cwd=RCLONE, env=go.environment, log=log, on_line=count)
            (folder / "server").rename(folder / "etcd")  # go build names it after the last element of its import path

        try:
            return artefacts.ensure("bin", name, make)
        except CommandFailed as error:
            raise explained(error) from error


def build_kwok(go: Go, artefacts: Artefacts, cache: Path, progress: Progress) -> Path:
    """The folder with kwok and the stages by which its nodes and pods live, made now unless nothing changed."""
    name = key_of(KWOK, str(go.version), *KWOK_STAGES)
    if artefacts.has("kwok", name):
        return artefacts.path("kwok", name)
    with progress.step("building kwok from its Go module"):

        def make(folder: Path) -> None:
            words = [str(go.program), "build", "-trimpath", COMPILE, "-ldflags=-s -w", "-o", f"{folder}/", "tool"]
            run(words, cwd=KWOK, env=go.environment, log=cache / "log" / "go-build.log")
            words = [str(go.program), "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/kwok"]
            module = Path(run(words, cwd=KWOK, env=go.environment).strip()) / "kustomize" / "stage"
            (folder / "stages.yaml").write_text("---\n".join((module / stage).read_text() for stage in KWOK_STAGES))

        try:
            return artefacts.ensure("kwok", name, make)
        except CommandFailed as error:
            raise explained(error) from error


def explained(error: CommandFailed) -> ClusterError:
    """A build that failed for want of a network says so, and what to do."""
    if NETWORK_TROUBLE.search(error.output):
        last = error.output.splitlines()[-1]
        return ClusterError(f"Go modules cannot be downloaded ({last}): check the network, or set GOPROXY to a mirror.")
    return error
