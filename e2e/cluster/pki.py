"""The cluster's certificates and kubeconfigs: one authority, elliptic-curve keys, made once per cluster."""

from __future__ import annotations

import base64
import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from .mounts import remove_tree
from .network import API_ADDRESS, NODE_ADDRESS
from .paths import RUN

FOLDER: Final = RUN / "pki"
SERVER: Final = "https://127.0.0.1:6443"  # a loopback address: no proxy variable of the user's applies to it
VALID: Final = timedelta(days=3650)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a certificate speaks for, and the names and addresses it may serve."""

    file: str
    name: str
    group: str = ""
    hosts: tuple[str, ...] = ()


IDENTITIES: Final = (
    Identity(
        "apiserver",
        "kube-apiserver",
        hosts=(
            *("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"),
            *("kubernetes.default.svc.cluster.local", "127.0.0.1", API_ADDRESS, NODE_ADDRESS),
        ),
    ),
    Identity("admin", "admin", "system:masters"),
    Identity("controller-manager", "system:kube-controller-manager"),
    Identity("scheduler", "system:kube-scheduler"),
    Identity("kubelet", "system:node:node1", "system:nodes", hosts=("node1", "127.0.0.1", NODE_ADDRESS)),
    Identity("kube-proxy", "system:kube-proxy"),
    Identity("coredns", "system:coredns"),
    Identity("front-proxy", "front-proxy-client"),
)
KUBECONFIGS: Final = ("admin", "controller-manager", "scheduler", "kubelet", "kube-proxy", "coredns")


def ensure(folder: Path = FOLDER, server: str = SERVER) -> None:
    """Certificates, keys and kubeconfigs for the API server there are made; they appear all at once or not at all."""
    if folder.is_dir():
        return
    unfinished = folder.with_suffix(".unfinished")
    remove_tree(unfinished)
    unfinished.mkdir(parents=True, mode=0o700)
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = _certificate(Identity("ca", "foretide-e2e"), authority_key, None)
    _write(unfinished, "ca", authority_key, authority)
    for identity in IDENTITIES:
        key = ec.generate_private_key(ec.SECP256R1())
        _write(unfinished, identity.file, key, _certificate(identity, key, (authority, authority_key)))
    signer = ec.generate_private_key(ec.SECP256R1())
    _write(unfinished, "service-account", signer, None)
    for name in KUBECONFIGS:
        _private(unfinished / f"{name}.kubeconfig", yaml.safe_dump(kubeconfig(unfinished, name, server)).encode())
    unfinished.rename(folder)


def kubeconfig(folder: Path, name: str, server: str) -> dict[str, object]:
    """A kubeconfig that holds its certificates itself, so that it can be copied elsewhere."""

    def content(file: str) -> str:
        return base64.b64encode((folder / file).read_bytes()).decode()

    user = {"client-certificate-data": content(f"{name}.crt"), "client-key-data": content(f"{name}.key")}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": "foretide", "cluster": {"server": server, "certificate-authority-data": content("ca.crt")}}
        ],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": "foretide", "context": {"cluster": "foretide", "user": name}}],
        "current-context": "foretide",
    }


def _certificate(
    identity: Identity,
    key: ec.EllipticCurvePrivateKey,
    issuer: tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None,
) -> x509.Certificate:
    names = [x509.NameAttribute(NameOID.COMMON_NAME, identity.name)]
    if identity.group:
        names.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, identity.group))
    subject = x509.Name(names)
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + VALID)
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    if issuer:
        usages = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    if identity.hosts:
        hosts = [_general_name(host) for host in identity.hosts]
        builder = builder.add_extension(x509.SubjectAlternativeName(hosts), critical=False)
    return builder.sign(issuer[1] if issuer else key, hashes.SHA256())


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _write(folder: Path, name: str, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate | None) -> None:
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    _private(folder / f"{name}.key", private)
    if certificate is not None:
        (folder / f"{name}.crt").write_bytes(certificate.public_bytes(pem))
    else:
        public = key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
        (folder / f"{name}.pub").write_bytes(public)


def _private(file: Path, content: bytes) -> None:
    file.touch(mode=0o600)
    file.write_bytes(content)
