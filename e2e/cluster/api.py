"""Asks the running cluster whether its parts answer: the API server, the node, name resolution, Prometheus."""

from __future__ import annotations

import secrets
import socket
import ssl
import struct
from typing import Any, Final

import httpx

from .network import DNS_ADDRESS
from .pki import FOLDER, SERVER

PROMETHEUS: Final = "http://127.0.0.1:30090"
TIMEOUT_SECONDS: Final = 2.0


def get(path: str) -> dict[str, Any] | None:
    """An object of the API as the administrator sees it; None if it is not there or nobody answers."""
    try:
        with _client() as client:
            answer = client.get(path)
    except (httpx.HTTPError, OSError):
        return None
    if answer.status_code != httpx.codes.OK:
        return None
    found: dict[str, Any] = answer.json()
    return found


def apiserver_ready() -> bool:
    try:
        with _client() as client:
            return bool(client.get("/readyz").status_code == httpx.codes.OK)
    except (httpx.HTTPError, OSError):
        return False


def node_ready(name: str) -> bool:
    node = get(f"/api/v1/nodes/{name}")
    conditions = node["status"].get("conditions", []) if node else []
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def kubelet_ready() -> bool:
    """The kubelet itself answers: its node stays Ready for 40 s after its death."""
    return _ok("http://127.0.0.1:10248/healthz")


def proxy_ready() -> bool:
    """kube-proxy has programmed the services it knows of."""
    return _ok("http://127.0.0.1:10256/healthz")


def prometheus_ready() -> bool:
    """Through the NodePort, as tests and users reach it."""
    return _ok(f"{PROMETHEUS}/-/ready")


def dns_ready(name: str = "kubernetes.default.svc.cluster.local") -> bool:
    """CoreDNS answers for a service, through the address that pods use."""
    identifier = secrets.token_bytes(2)
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(0.5)
            client.sendto(question(identifier, name), (DNS_ADDRESS, 53))
            return has_answer(client.recv(512), identifier)
    except OSError:
        return False


def question(identifier: bytes, name: str) -> bytes:
    """A DNS query for the IPv4 address of a name (RFC 1035, 4.1)."""
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    return identifier + struct.pack(">5H", 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">2H", 1, 1)


def has_answer(message: bytes, identifier: bytes) -> bool:
    """Whether a DNS message answers our query, without an error and with at least one record."""
    if len(message) < 12 or message[:2] != identifier:
        return False
    flags, _, answers = struct.unpack(">3H", message[2:8])
    return bool(flags & 0x000F == 0 and answers > 0)


def _ok(url: str) -> bool:
    try:
        return bool(httpx.get(url, timeout=TIMEOUT_SECONDS, trust_env=False).status_code == httpx.codes.OK)
    except (httpx.HTTPError, OSError):
        return False


def _client() -> httpx.Client:
    context = ssl.create_default_context(cafile=str(FOLDER / "ca.crt"))
    context.load_cert_chain(FOLDER / "admin.crt", FOLDER / "admin.key")
    return httpx.Client(base_url=SERVER, verify=context, timeout=TIMEOUT_SECONDS, trust_env=False)
