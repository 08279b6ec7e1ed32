"""Writes manifests/install.yaml from the Helm chart: `python manifests/render.py [--check]`.

It is for those who install with kubectl or GitOps: the chart with its defaults, and the namespace that a chart cannot
label. The helm binary is the one named by the environment variable HELM, or the first on PATH.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
CHART: Final = ROOT / "charts" / "foretide"
INSTALL: Final = ROOT / "manifests" / "install.yaml"
RELEASE: Final = "foretide"
NAMESPACE: Final = "foretide-system"
# The floor of Chart.yaml; a helm that was built without version stamps would assume 1.20.
KUBE_VERSION: Final = "1.30.0"

_HEADER: Final = f"""\
# Rendered from charts/foretide by `python manifests/render.py`; do not edit.
# Install: kubectl apply --server-side -f install.yaml
# {{digest}}
---
apiVersion: v1
kind: Namespace
metadata:
  name: {NAMESPACE}
  labels:
    app.kubernetes.io/name: foretide
    pod-security.kubernetes.io/enforce: restricted
    pod-security.kubernetes.io/audit: restricted
    pod-security.kubernetes.io/warn: restricted
"""


class HelmMissing(Exception):
    """There is no helm to render with; the text says how to get one."""


def helm(environment: dict[str, str] | os._Environ[str] = os.environ) -> str:
    """Path of the helm binary."""
    found = shutil.which(environment.get("HELM") or "helm", path=environment.get("PATH"))
    if found is None:
        raise HelmMissing(
            f"helm: {environment.get('HELM') or 'not on PATH'} cannot be run. Install it from https://helm.sh, "
            "or set HELM to its path."
        )
    return found


def rendered(*values: str, binary: str | None = None) -> str:
    """What `helm template` makes of the chart; `values` are arguments such as `--set=replicas=2`."""
    command = [binary or helm(), "template", RELEASE, str(CHART), f"--namespace={NAMESPACE}"]
    command += [f"--kube-version={KUBE_VERSION}", *values]
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, timeout=60).stdout


def digest() -> str:
    """A word for the state of the chart's sources, by which a test sees drift without helm."""
    sources = sorted(path for path in CHART.rglob("*") if path.is_file() and path.suffix != ".md")
    state = hashlib.sha256()
    for path in sources:
        state.update(f"{path.relative_to(CHART)}\0{path.read_text(encoding='utf-8')}\0".encode())
    return f"chart sha256:{state.hexdigest()}"


def install_text(*values: str, binary: str | None = None) -> str:
    """The text of install.yaml, or with other values of the chart."""
    lines = rendered(*values, binary=binary).splitlines()
    return _HEADER.format(digest=digest()) + "\n".join(line.rstrip() for line in lines if line.strip()) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the file, or with --check only compare; the exit status is 1 if they differ or there is no helm."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the file is not up to date")
    options = parser.parse_args(arguments)
    try:
        text = install_text()
    except HelmMissing as missing:
        sys.stderr.write(f"{missing}\n")
        return 1
    if INSTALL.is_file() and INSTALL.read_text(encoding="utf-8") == text:
        return 0
    if options.check:
        sys.stderr.write("manifests/install.yaml differs from the chart; run make manifests\n")
        return 1
    INSTALL.write_text(text, encoding="utf-8")
    sys.stdout.write("manifests/install.yaml written\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
