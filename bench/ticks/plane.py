"""A real API server with the controllers that make pods of Deployments, on loopback: no node, no scheduler.

Its ports are those of the embedded cluster: run it in a network namespace of its own.
"""

from __future__ import annotations

import json
import subprocess
import time
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx

from e2e.cluster import pki
from e2e.own_process import stop

ETCD: Final = "http://127.0.0.1:2379"
PEER: Final = "http://127.0.0.1:2380"
READY_SECONDS: Final = 120.0
STOP_SECONDS: Final = 20.0
# etcd ends at 2 GB by default; 20,000 pods and their changes of a run are one.
ETCD_BYTES: Final = 6 * 2**30


class NotStartedError(Exception):
    """A program ended, or did not get ready; the message names its log."""


@contextmanager
def running(programs: Path, folder: Path) -> Iterator[Path]:
    """The kubeconfig of an administrator, inside `with`."""
    keys = folder / "pki"
    pki.ensure(keys)
    kubeconfig = keys / "admin.kubeconfig"
    etcd = [
        *(str(programs / "etcd"), f"--data-dir={folder / 'etcd'}", "--unsafe-no-fsync", "--log-level=warn"),
        *(f"--listen-client-urls={ETCD}", f"--advertise-client-urls={ETCD}", f"--quota-backend-bytes={ETCD_BYTES}"),
        *(f"--listen-peer-urls={PEER}", f"--initial-advertise-peer-urls={PEER}", f"--initial-cluster=default={PEER}"),
    ]
    apiserver = [
        *(str(programs / "kube-apiserver"), f"--etcd-servers={ETCD}", "--secure-port=6443"),
        *("--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", "--service-cluster-ip-range=10.96.0.0/12"),
        *(f"--tls-cert-file={keys / 'apiserver.crt'}", f"--tls-private-key-file={keys / 'apiserver.key'}"),
        *(f"--client-ca-file={keys / 'ca.crt'}", f"--service-account-key-file={keys / 'service-account.pub'}"),
        f"--service-account-signing-key-file={keys / 'service-account.key'}",
        *("--service-account-issuer=https://kubernetes.default.svc", "--authorization-mode=RBAC"),
    ]
    controllers = [
        *(str(programs / "kube-controller-manager"), f"--kubeconfig={kubeconfig}", "--leader-elect=false"),
        *("--controllers=deployment-controller,replicaset-controller", "--bind-address=127.0.0.1"),
        # Its limits of 20 requests a second would make 20,000 pods in half an hour.
        *("--kube-api-qps=2000", "--kube-api-burst=4000", "--concurrent-deployment-syncs=20"),
        "--concurrent-replicaset-syncs=20",
    ]
    authority = str(keys / "ca.crt")
    pair = (str(keys / "admin.crt"), str(keys / "admin.key"))
    with (
        started("etcd", etcd, folder) as process,
        until_ok(process, f"{ETCD}/health"),
        started("kube-apiserver", apiserver, folder) as process,
        until_ok(process, f"{pki.SERVER}/readyz", authority=authority, pair=pair),
        started("kube-controller-manager", controllers, folder),
    ):
        yield kubeconfig


@contextmanager
def started(
    name: str, words: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A program with its log in the folder; at the end of `with` it has ended.

    Its session is its own, as the cgroup of a container is: by sessions Linux shares processors out (autogroup).
    """
    with (folder / f"{name}.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(words, stdout=log, stderr=subprocess.STDOUT, env=environment, start_new_session=True)
    try:
        yield process
    finally:
        stop(process, grace_seconds=STOP_SECONDS)


@contextmanager
def until_ok(
    process: subprocess.Popen[bytes], url: str, *, authority: str | None = None, pair: tuple[str, str] | None = None
) -> Iterator[None]:
    """Begins when the URL answers 200; raises NotStartedError."""
    ends = time.monotonic() + READY_SECONDS
    with httpx.Client(verify=authority or True, cert=pair, trust_env=False) as client:
        while not _is_ok(client, url):
            if process.poll() is not None or time.monotonic() > ends:
                raise NotStartedError(f"{process.args!r}: no answer at {url} (exit code {process.poll()})")
            time.sleep(0.2)
    yield


def age(prefix: str, created: str) -> None:
    """Every custom object under this key of etcd was created then. The API server lets nobody say so, and an operator
    reads no more of the past than is the service's own."""
    first = prefix.encode()
    beyond = first[:-1] + bytes([first[-1] + 1])
    with httpx.Client(base_url=ETCD, trust_env=False, timeout=60.0) as client:
        asked = {"key": b64encode(first).decode(), "range_end": b64encode(beyond).decode()}
        for found in client.post("/v3/kv/range", json=asked).raise_for_status().json().get("kvs", ()):
            obj = json.loads(b64decode(found["value"]))
            obj["metadata"]["creationTimestamp"] = created
            value = b64encode(json.dumps(obj).encode()).decode()
            client.post("/v3/kv/put", json={"key": found["key"], "value": value}).raise_for_status()


def _is_ok(client: httpx.Client, url: str) -> bool:
    try:
        return client.get(url, timeout=5.0).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False
