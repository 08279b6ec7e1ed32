"""What tests do with each command and each YAML block of the documentation. What has no place here fails a test.

- RUN: e2e/test_docs.py runs the command on the cluster, page by page, in the order of the page.
- `make TARGET` and `pip install '.[EXTRA]'` are looked up in Makefile and pyproject.toml.
- EXEMPT: neither, for a reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import yaml

from foretide.api import group
from tests.docs.blocks import Block, Command

RUN: Final = frozenset({"kubectl", "helm", "curl", ".venv/bin/python"})
LOOKED_UP: Final = frozenset({"make", "pip"})
# By how the command begins.
EXEMPT: Final[Mapping[str, str]] = {
    "kubectl foretide backtest ranker": "needs days of a service's past in Prometheus; `backtest -f load.csv` is run",
    "helm upgrade foretide charts/foretide --namespace foretide-system --reuse-values --set podMonitor.enabled=true": (
        "needs the definitions of the Prometheus Operator; e2e/test_chart.py and e2e/test_rules.py render these values"
    ),
    "helm upgrade foretide charts/foretide --namespace foretide-system --reuse-values --set 'watchNamespaces": (
        "other tests need an operator of all namespaces; e2e/test_namespaced.py runs one of two"
    ),
    "docker build -f operator/Containerfile": "no Docker here; e2e/cluster/images.py makes that image for the tests",
    "kubectl foretide profile ranker": "takes minutes, and a GPU; e2e/test_cli_profile.py runs it on a CPU",
    "kubectl -n shop logs deploy/ranker--cpu-4 -c download": "needs a bucket; e2e/test_model_sources.py reads that log",
}

# Kinds of other projects, whose definitions are not in the cluster of the tests.
FOREIGN: Final = frozenset(
    {
        ("argoproj.io/v1alpha1", "Application"),
        ("kustomize.toolkit.fluxcd.io/v1", "Kustomization"),
        ("serving.kserve.io/v1beta1", "InferenceService"),
    }
)
_SERVICE: Final[dict[str, Any]] = {
    "model": {"backend": "onnxruntime", "source": {"uri": "s3://models/ranker/3"}},
    "hardware": {"classes": ["cpu-4"]},
    "slo": {"objective": "99", "latency": "100ms"},
}
_TRITON: Final = {"image": "nvcr.io/nvidia/tritonserver:26.07-py3"}


def exemption(command: Command) -> str | None:
    """Why nobody runs it; None where somebody does."""
    return next((reason for begin, reason in EXEMPT.items() if command.text.startswith(begin)), None)


def documents(block: Block) -> list[dict[str, Any]]:
    """The objects of a YAML block, each with a kind; a part of one is completed to the object that it is a part of.

    Raises ValueError for what is neither. A part of Prometheus' configuration has no kind and is left as it is.
    """
    return [_completed(block, each) for each in yaml.safe_load_all(block.text) if each is not None]


def _completed(block: Block, raw: dict[str, Any]) -> dict[str, Any]:
    ours = {"apiVersion": group.API_VERSION, "metadata": {"name": "example"}}
    match raw:
        case {"kind": _, "apiVersion": _} | {"scrape_configs": _}:
            return raw
        case {"spec": {"family": _}}:
            return {**ours, "kind": group.HARDWARE_CLASS_KIND, "spec": {"triton": _TRITON, **raw["spec"]}}
        case {"spec": {"hardware": _} | {"responseCache": _}}:
            return {**ours, "kind": group.INFERENCE_SERVICE_KIND, "spec": {**_SERVICE, **raw["spec"]}}
        case {"slo": _}:
            return {**ours, "kind": group.INFERENCE_SERVICE_KIND, "spec": {**_SERVICE, **raw}}
        case {"source": _}:
            model = {**_SERVICE["model"], **raw}
            return {**ours, "kind": group.INFERENCE_SERVICE_KIND, "spec": {**_SERVICE, "model": model}}
        case {"stringData": _}:
            return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "example"}, **raw}
    raise ValueError(f"{block}: neither an object nor a part that is known: {sorted(raw)}")
