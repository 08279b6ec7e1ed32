"""Somebody who follows a page of the documentation: types its commands, one by one, in a copy of the repository."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from e2e.cluster import Cluster
from e2e.cluster.target import image
from foretide.api import group
from tests.docs.blocks import ROOT, Command

SECONDS: Final = 300.0
# What is said on standard error, and is no failure: the reader has done it before, or nothing has crashed yet.
HARMLESS: Final = ("(AlreadyExists)", "previous terminated container")
# The operator of the tests is not replaced, and the cluster not emptied, by a page: these are tried without being kept.
# What they do in earnest, e2e/test_chart_lifecycle.py does.
REHEARSED: Final[Mapping[str, str]] = {
    "helm upgrade": "--dry-run=server",
    "helm -n foretide-system rollback": "--dry-run",
    "helm -n foretide-system uninstall": "--dry-run",
    "kubectl delete crd": "--dry-run=server",
    "kubectl delete namespace foretide-system": "--dry-run=server",
    # Helm installed it, under another name of the writer.
    "kubectl apply --server-side -f manifests/install.yaml": "--dry-run=server --force-conflicts",
}
# Exit codes that are answers, by how a part of a pipe begins; 0 always is one.
ANSWERS: Final[Mapping[str, tuple[int, ...]]] = {
    "grep": (1,),  # nothing to see
    "kubectl diff": (1,),  # there are differences
    "kubectl auth can-i": (1,),  # no
    "kubectl foretide doctor": (1, 4),  # something to look at, of other tests as well
    "kubectl foretide plan": (1,),  # something speaks against it
}
BROKEN_PIPE: Final = 141  # of what `head` has read enough of
PLACEHOLDER: Final = re.compile(r"\b(NAMESPACE|SERVICE|DEPLOYMENT|POD)\b")
LOAD_STEPS: Final = 45  # minutes, of which 30 warm up
SMALL: Final = {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}}


def copied(folder: Path) -> None:
    """What the pages name of the repository, with hardware classes that fit this cluster; and files of the reader's."""
    for name in ("charts", "crds", "examples", "manifests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "README.md", folder)
    (folder / ".venv").symlink_to(sys.prefix)
    for file in (folder / "examples").rglob("*.yaml"):
        documents = list(yaml.safe_load_all(file.read_text(encoding="utf-8")))
        if any(fits(document) for document in documents):
            file.write_text(yaml.safe_dump_all(documents), encoding="utf-8")
    rows = "".join(f"{60 * step},{600 + 5 * step}\n" for step in range(LOAD_STEPS))
    (folder / "load.csv").write_text(f"t_s,requests\n{rows}", encoding="utf-8")
    for name in ("token", "ca.crt", "tls.crt", "tls.key"):
        (folder / name).write_text("of no use\n", encoding="utf-8")


def fits(document: dict[str, Any]) -> bool:
    """Makes a HardwareClass one of this cluster: its image, and so little that twenty replicas find room."""
    if document.get("kind") != group.HARDWARE_CLASS_KIND:
        return False
    spec = document["spec"]
    spec["triton"]["image"] = image("triton")
    if spec["family"] == "CPU":
        spec["resources"] = SMALL
    return True


@dataclass(slots=True)
class Reader:
    """In a folder, with kubectl, helm and the plugin on PATH; `names` are put for words in capitals."""

    cluster: Cluster
    folder: Path
    names: Mapping[str, str]
    operator_pod: str
    open: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @contextmanager
    def page(self) -> Iterator[None]:
        """What runs on beside the reader (a port-forward, a watch) ends with the page, and must not have before."""
        try:
            yield
            for process in self.open:
                assert process.poll() is None, f"{process.args!r} ended with {process.returncode}"
        finally:
            while self.open:
                process = self.open.pop()
                process.terminate()
                process.wait(timeout=10)

    def type(self, command: Command) -> str:
        """What the command prints; AssertionError with all that it said where it fails."""
        text = self.filled(command.text)
        words = shlex.split(text, comments=True)
        if words[-1] == "&" or "port-forward" in words or {"-w", "--watch"} & set(words):
            self._leave_open([word for word in words if word != "&"])
            return ""
        flags = next((flags for begin, flags in REHEARSED.items() if text.startswith(begin)), "")
        if flags:
            text = f"{shlex.join(words)} {flags}"
        codes = self.folder / "codes"
        script = f'{text}\necho "${{PIPESTATUS[*]}}" > {shlex.quote(str(codes))}'
        codes.unlink(missing_ok=True)
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        failed = not codes.exists() or wrong(text, [int(code) for code in codes.read_text().split()])
        harmless = any(said in done.stderr for said in HARMLESS)
        assert harmless or not failed, f"{command}\n{text}\n{failed}: {done.stdout}{done.stderr}"
        return done.stdout

    def filled(self, text: str) -> str:
        """With names for the words in capitals."""
        names = dict(self.names)
        if "foretide-system" in text:
            names["POD"] = self.operator_pod
        return PLACEHOLDER.sub(lambda found: names[found[0]], text)

    def environment(self) -> dict[str, str]:
        """A kubeconfig of its own, whose context has the namespace of the reader."""
        environment = self.cluster.environment()
        mine = self.folder / "kubeconfig"
        if not mine.exists():
            shutil.copy(self.cluster.kubeconfig, mine)
            kubectl = [str(self.cluster.bin / "kubectl"), f"--kubeconfig={mine}", "config"]
            if self.cluster.context:
                subprocess.run([*kubectl, "use-context", self.cluster.context], check=True, capture_output=True)
            namespace = f"--namespace={self.names['NAMESPACE']}"
            subprocess.run([*kubectl, "set-context", "--current", namespace], check=True, capture_output=True)
        path = f"{Path(sys.executable).parent}:{environment['PATH']}"
        python = os.pathsep.join([str(ROOT), str(ROOT / "operator")])
        return {**environment, "KUBECONFIG": str(mine), "PATH": path, "PYTHONPATH": python}

    def _leave_open(self, words: list[str]) -> None:
        process = subprocess.Popen(
            words, cwd=self.folder, env=self.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.open.append(process)
        time.sleep(1.0)
        assert process.poll() is None, f"{shlex.join(words)} ended at once with {process.returncode}"


def wrong(text: str, codes: list[int]) -> str:
    """Which part of a pipe failed; empty when none did."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars="|")
    lexer.whitespace_split = True
    parts: list[list[str]] = [[]]
    for word in lexer:
        if word == "|":
            parts.append([])
        else:
            parts[-1].append(word)
    for number, (part, code) in enumerate(zip(parts, codes, strict=True)):
        begin = " ".join(part)
        answers = [code for start, also in ANSWERS.items() if begin.startswith(start) for code in also]
        if number < len(parts) - 1:
            answers.append(BROKEN_PIPE)
        if code != 0 and code not in answers:
            return f"`{begin}` ended with {code}"
    return ""
