"""What the documentation tells users to type, typed; and what it tells them to apply, before a real API server."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from e2e.cluster import Cluster
from e2e.demo.model import model_file
from e2e.scenarios import loopback, sleeper
from e2e.scenarios.api import NAMESPACE, Api
from e2e.scenarios.operator import SYSTEM, Operator, Values
from e2e.scenarios.reader import Reader, copied
from e2e.scenarios.store import EMBEDDED
from e2e.scenarios.tenant import OURS, Tenant
from e2e.scenarios.waiting import until
from foretide.adapters.resources import HARDWARE_CLASS
from foretide.serving.naming import deployment_name
from tests.docs import blocks, coverage
from tests.docs.blocks import Command

pytestmark = pytest.mark.skipif(not EMBEDDED, reason="a cluster of yours may have a namespace `shop` of its own")

SHOP: Final = "shop"
RANKER: Final = "ranker"
CLASSES: Final = ("cpu-4", "cpu-4-tf", "gpu-t4", "gpu-t4-vllm", "quickstart-cpu", "cpu-small")
VOLUME: Final = "docs-filetype"
# Namespaces that pages make and leave.
MADE: Final = (SHOP, "quickstart", "foretide-demo")
FILETYPE: Final = "examples/filetype/README.md"


def typed(page: str) -> list[Command]:
    """The commands of a page that are run here."""
    found = [command for block in blocks.of_page(page) for command in blocks.commands(block)]
    return [one for one in found if one.program in coverage.RUN and not coverage.exemption(one)]


PAGES: Final = [page for page in blocks.PAGES if typed(page)]
SHOWN: Final = [block for block in blocks.of_every_page() if block.language == "yaml"]
EXAMPLES: Final = sorted(path for path in (blocks.ROOT / "examples").rglob("*.yaml"))


@pytest.fixture(scope="session")
def reader(
    cluster: Cluster, api: Api, operator: Operator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Reader]:
    """In a namespace `shop` with a service `ranker` that serves, as most pages have it."""
    folder = tmp_path_factory.mktemp("reader")
    copied(folder)
    for namespace in MADE:
        api.delete(NAMESPACE, namespace)
    until(
        "what a killed session left is gone",
        lambda: not any(api.get(NAMESPACE, name) for name in MADE),
        within_seconds=120,
    )
    api.apply(NAMESPACE, {"metadata": {"name": SHOP, "labels": OURS}})
    tenant = Tenant(cluster, api, SHOP)
    tenant.put_model("sleeper")
    for file in sorted((folder / "examples" / "classes").glob("*.yaml")):
        cluster.apply(file)
    spec = sleeper.spec(hardware_class="cpu-4", minReplicas=1, maxReplicas=2)
    service = tenant.serve(RANKER, spec)
    service.until_ready(replicas=1)
    written = {
        "apiVersion": "foretide.dev/v1alpha1",
        "kind": "InferenceService",
        "metadata": {"name": RANKER, "namespace": SHOP},
        "spec": spec,
    }
    (folder / "deploy").mkdir()
    for path in ("service.yaml", "deploy/service.yaml"):
        (folder / path).write_text(yaml.safe_dump(written), encoding="utf-8")
    names = {
        "NAMESPACE": SHOP,
        "SERVICE": RANKER,
        "DEPLOYMENT": deployment_name(RANKER, "cpu-4"),
        "POD": service.pods()[0]["metadata"]["name"],
    }
    yield Reader(cluster, folder, names, operator.until_leading())
    for namespace in MADE:
        api.delete(NAMESPACE, namespace)
    for name in CLASSES:
        api.delete(HARDWARE_CLASS, name)
    cluster.kubectl(f"--namespace={SYSTEM}", "delete", "secret", "prometheus-access", "--ignore-not-found")
    cluster.kubectl("delete", f"persistentvolume/{VOLUME}", "--ignore-not-found", "--wait=false")


@pytest.mark.parametrize("block", SHOWN, ids=str)
def test_what_is_shown_is_accepted_by_a_real_api_server(block: blocks.Block, reader: Reader) -> None:
    for raw in coverage.documents(block):
        if "kind" in raw and (raw["apiVersion"], raw["kind"]) not in coverage.FOREIGN:
            _accepted(reader.cluster, raw)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: str(path.relative_to(blocks.ROOT)))
def test_every_example_is_accepted_by_a_real_api_server(path: Path, reader: Reader) -> None:
    for raw in yaml.safe_load_all(path.read_text(encoding="utf-8")):
        _accepted(reader.cluster, raw)


def _accepted(cluster: Cluster, raw: dict[str, Any]) -> None:
    """As a new object, without keeping it; a namespace that it names need not exist."""
    metadata = {**raw["metadata"], "name": f"{raw['metadata']['name']}-shown"}
    if "namespace" in metadata:
        metadata["namespace"] = SHOP
    command = [str(cluster.bin / "kubectl"), "create", "--dry-run=server", "-f=-"]
    if cluster.context:
        command.append(f"--context={cluster.context}")
    text = json.dumps({**raw, "metadata": metadata})
    done = subprocess.run(
        command, input=text, capture_output=True, text=True, timeout=30, check=False, env=cluster.environment()
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("block", [each for each in SHOWN if "scrape_configs" in each.text], ids=str)
def test_scrape_configurations_are_prometheus_own(block: blocks.Block, cluster: Cluster, tmp_path: Path) -> None:
    file = tmp_path / "prometheus.yaml"
    file.write_text(block.text, encoding="utf-8")
    command = [loopback.program(cluster, "promtool"), "check", "config", "--syntax-only", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("example", "tensor", "answer"),
    [
        ("fraud", {"name": "features", "datatype": "FP32", "shape": [1, 8], "data": [1.0] * 8}, ("score", 1)),
        ("recommender", {"name": "user", "datatype": "INT64", "shape": [1, 1], "data": [7]}, ("items", 10)),
        ("batch", {"name": "document", "datatype": "BYTES", "shape": [1, 1], "data": ["good but slow"]}, ("tone", 1)),
    ],
)
@pytest.mark.timeout(200)
def test_the_gallery_serves(
    example: str, tensor: dict[str, Any], answer: tuple[str, int], reader: Reader, api: Api
) -> None:
    file = reader.folder / "examples" / "gallery" / f"{example}.yaml"
    reader.cluster.apply(file)
    name = next(
        each["metadata"]["name"]
        for each in yaml.safe_load_all(file.read_text(encoding="utf-8"))
        if each["kind"] == "InferenceService"
    )
    try:
        Tenant(reader.cluster, api, SHOP).reach(name, hardware_class="cpu-4").until_ready(within_seconds=120)
        path = f"/api/v1/namespaces/{SHOP}/services/{name}:http/proxy/v2/models/{name}/infer"
        body = json.dumps({"inputs": [tensor]}).encode()
        said = json.loads(api.raw("POST", path, {}, body, {"Content-Type": "application/json"}))
        (output,) = said["outputs"]
        assert (output["name"], len(output["data"])) == answer
    finally:
        reader.cluster.kubectl("delete", f"--filename={file}", "--wait=false")


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.timeout(500)
def test_what_a_page_tells_to_type_works(page: str, reader: Reader, operator: Operator, values: Values) -> None:
    if any("rollback" in command.text for command in typed(page)):
        operator.install(values)  # once more, so that there is a revision to go back to
    with reader.page():
        for command in typed(page):
            reader.type(command)
            if page == FILETYPE and "namespace.yaml" in command.text:
                _model_on_a_claim(reader)


def _model_on_a_claim(reader: Reader) -> None:
    """What the page describes in words: its claim has the model."""
    folder = reader.folder / "volume"
    version = folder / "filetype" / "1"
    version.mkdir(parents=True)
    shutil.copy(model_file(), version / "model.onnx")
    for path in (folder, folder / "filetype", version):
        path.chmod(0o755)
    (version / "model.onnx").chmod(0o644)
    reader.cluster.host_volume(VOLUME, folder, "foretide-demo", "models")
