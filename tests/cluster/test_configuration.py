"""Certificates, names, volumes, images: what the parts of the cluster are told agrees with each other."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.x509.oid import NameOID

from e2e.cluster import api, binaries, components, network, pki
from e2e.cluster.buildah import cause, remove_blob_cache, spoiled
from e2e.cluster.errors import CommandFailed
from e2e.cluster.images import IMAGES
from e2e.cluster.paths import HERE, cache_folder
from e2e.cluster.volumes import host_volume_manifests
from foretide.serving.download import DownloadSettings

PROMETHEUS = HERE / "manifests" / "prometheus.yaml"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "pki"
    pki.ensure(folder)
    return folder


def test_the_api_server_may_serve_every_name_it_is_reached_by(keys: Path) -> None:
    certificate = x509.load_pem_x509_certificate((keys / "apiserver.crt").read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "kubernetes.default.svc" in names.get_values_for_type(x509.DNSName)
    addresses = {str(a) for a in names.get_values_for_type(x509.IPAddress)}
    assert {"127.0.0.1", network.NODE_ADDRESS, network.API_ADDRESS} <= addresses


def test_the_kubelet_is_the_node_it_registers(keys: Path) -> None:
    subject = x509.load_pem_x509_certificate((keys / "kubelet.crt").read_bytes()).subject
    assert subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == f"system:node:{components.NODE}"
    assert subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)[0].value == "system:nodes"


def test_every_certificate_is_signed_by_the_authority(keys: Path) -> None:
    authority = x509.load_pem_x509_certificate((keys / "ca.crt").read_bytes())
    for identity in pki.IDENTITIES:
        x509.load_pem_x509_certificate((keys / f"{identity.file}.crt").read_bytes()).verify_directly_issued_by(
            authority
        )


def test_keys_and_kubeconfigs_are_readable_by_their_owner_only(keys: Path) -> None:
    secret = [*keys.glob("*.key"), *keys.glob("*.kubeconfig")]
    assert secret
    assert {file.stat().st_mode & 0o077 for file in secret} == {0}


def test_a_kubeconfig_can_be_copied_elsewhere(keys: Path) -> None:
    config = yaml.safe_load((keys / "admin.kubeconfig").read_text())
    assert base64.b64decode(config["users"][0]["user"]["client-key-data"]) == (keys / "admin.key").read_bytes()
    assert config["clusters"][0]["cluster"]["server"] == "https://127.0.0.1:6443"


def test_certificates_are_made_once(keys: Path) -> None:
    before = (keys / "ca.crt").read_bytes()
    pki.ensure(keys)
    assert (keys / "ca.crt").read_bytes() == before


def test_the_dns_service_points_at_coredns() -> None:
    service, endpoints, *_ = yaml.safe_load_all((HERE / "manifests" / "kube-dns.yaml").read_text())
    assert service["spec"]["clusterIP"] == network.DNS_ADDRESS
    assert endpoints["endpoints"] == [{"addresses": [network.NODE_ADDRESS]}]
    assert {port["port"] for port in endpoints["ports"]} == {components.DNS_PORT}
    assert f"bind {network.NODE_ADDRESS}" in components.COREFILE
    assert components.KUBELET_CONFIG["clusterDNS"] == [network.DNS_ADDRESS]


def test_prometheus_runs_the_image_that_is_built_on_the_port_that_is_asked() -> None:
    objects = {o["kind"]: o for o in yaml.safe_load_all(PROMETHEUS.read_text())}
    container = objects["Deployment"]["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == IMAGES["prometheus"].reference
    assert f"http://127.0.0.1:{objects['Service']['spec']['ports'][0]['nodePort']}" == api.PROMETHEUS


def test_alertmanager_runs_the_image_that_is_built_under_the_name_that_prometheus_knows() -> None:
    objects = {o["kind"]: o for o in yaml.safe_load_all((HERE / "manifests" / "alertmanager.yaml").read_text())}
    container = objects["Deployment"]["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == IMAGES["alertmanager"].reference
    service = objects["Service"]
    (port,) = service["spec"]["ports"]
    prometheus = {o["kind"]: o for o in yaml.safe_load_all(PROMETHEUS.read_text())}
    config = yaml.safe_load(prometheus["ConfigMap"]["data"]["prometheus.yml"])
    (known,) = config["alerting"]["alertmanagers"]
    target = f"{service['metadata']['name']}.{service['metadata']['namespace']}.svc:{port['port']}"
    assert known == {"static_configs": [{"targets": [target]}]}


def test_prometheus_keeps_only_the_named_ports_and_labels_namespace_and_pod() -> None:
    objects = {o["kind"]: o for o in yaml.safe_load_all(PROMETHEUS.read_text())}
    config = yaml.safe_load(objects["ConfigMap"]["data"]["prometheus.yml"])
    assert config["global"]["scrape_interval"] == "5s"
    jobs = {job["job_name"]: job for job in config["scrape_configs"]}
    kept = {
        name: [r["regex"] for r in job["relabel_configs"] if r.get("action") == "keep"] for name, job in jobs.items()
    }
    assert kept == {"triton": ["metrics"], "foretide": ["http"]}
    for job in jobs.values():
        assert {r["target_label"] for r in job["relabel_configs"] if "target_label" in r} == {"namespace", "pod"}


def test_pods_start_from_the_pause_image_that_is_built() -> None:
    assert IMAGES["pause"].reference == components.PAUSE_IMAGE
    assert f'sandbox_image = "{components.PAUSE_IMAGE}"' in components.CONTAINERD_CONFIG


def test_an_image_is_made_anew_when_its_code_changes_and_only_then(tmp_path: Path) -> None:
    operator = IMAGES["operator"]
    assert operator.key(Path("a")) == operator.key(Path("b"))  # it holds none of the Go programs
    assert IMAGES["prometheus"].key(Path("a")) != IMAGES["prometheus"].key(Path("b"))


def test_the_rclone_that_is_built_is_the_release_that_the_operator_uses() -> None:
    (version,) = re.findall(r"github.com/rclone/rclone v([0-9.]+)", (binaries.RCLONE / "go.mod").read_text())
    assert DownloadSettings().image.endswith(f":{version}")
    assert version.startswith(IMAGES["rclone"].reference.rpartition(":")[2])


def test_volume_and_claim_name_each_other(tmp_path: Path) -> None:
    volume, claim = host_volume_manifests("models", tmp_path, "shop", "ranker", "2Gi")
    assert volume["spec"]["claimRef"] == {"namespace": "shop", "name": "ranker"}  # type: ignore[index]
    assert claim["spec"]["volumeName"] == "models"  # type: ignore[index]
    assert volume["spec"]["storageClassName"] == claim["spec"]["storageClassName"] == ""  # type: ignore[index]


def test_a_dns_answer_is_told_from_an_error() -> None:
    asked = api.question(b"\x12\x34", "a.svc")
    assert asked[12:] == b"\x01a\x03svc\x00\x00\x01\x00\x01"
    answer = b"\x12\x34\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00" + asked[12:]
    assert api.has_answer(answer, b"\x12\x34")
    assert not api.has_answer(answer, b"\x99\x99")
    assert not api.has_answer(b"\x12\x34\x81\x83\x00\x01\x00\x00\x00\x00\x00\x00", b"\x12\x34")  # NXDOMAIN
    assert not api.has_answer(b"", b"\x12\x34")


def test_the_cache_folder_follows_the_users_choice(tmp_path: Path) -> None:
    assert cache_folder({"FORETIDE_CACHE": str(tmp_path)}) == tmp_path
    assert cache_folder({"XDG_CACHE_HOME": str(tmp_path)}) == tmp_path / "foretide"
    assert cache_folder({}).name == "foretide"


def test_a_failed_image_build_quotes_what_failed_not_the_whole_step() -> None:
    output = (
        "STEP 3/7: RUN pip install\nERROR: No matching distribution found for nope\n"
        'subprocess exited with status 1\nsubprocess exited with status 1\nError: building at STEP "RUN pip install"'
    )
    assert cause(output) == "ERROR: No matching distribution found for nope"
    assert not spoiled(CommandFailed("", output))
    assert cause("") == "it printed nothing"


def test_spoiled_storage_is_told_from_a_mistake() -> None:
    output = "STEP 7/9: COPY a b\n--> Using cache f6842\nError: creating read-write layer: no such file or directory"
    assert spoiled(CommandFailed("", output))
    assert not spoiled(CommandFailed("", output, killed=True))
    assert cause(output) == "Error: creating read-write layer: no such file or directory"


def test_what_buildah_leaves_outside_its_root_goes_unless_podman_lives_there(tmp_path: Path) -> None:
    note = tmp_path / "containers" / "cache" / "blob-info-cache-v1.boltdb"
    note.parent.mkdir(parents=True)
    note.touch()
    (tmp_path / "containers" / "storage").mkdir()
    remove_blob_cache(tmp_path / "containers")
    assert note.exists()
    (tmp_path / "containers" / "storage").rmdir()
    remove_blob_cache(tmp_path / "containers")
    assert not (tmp_path / "containers").exists()
