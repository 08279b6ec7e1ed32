"""Authorities and certificates that live as long as a test."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, and the files that have them."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    certificate_file: Path
    key_file: Path

    @classmethod
    def authority(cls, folder: Path, name: str = "ca") -> Pair:
        return cls.made(folder, name, issuer=None)

    @classmethod
    def made(
        cls,
        folder: Path,
        name: str,
        *,
        issuer: Pair | None,
        address: str = "127.0.0.1",
        days: tuple[int, int] = (-1, 1),
    ) -> Pair:
        """Valid from the first to the second day from now; without an issuer it signs itself and others."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject if issuer is None else issuer.certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + timedelta(days=days[0]))
            .not_valid_after(now + timedelta(days=days[1]))
            .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        )
        if issuer is not None:
            names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))])
            builder = builder.add_extension(names, critical=False)
        certificate = builder.sign(key if issuer is None else issuer.key, hashes.SHA256())
        pair = cls(certificate, key, folder / f"{name}.crt", folder / f"{name}.key")
        pair.certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        pair.key_file.write_bytes(pair.key_bytes(serialization.NoEncryption()))
        return pair

    def key_bytes(self, encryption: serialization.KeySerializationEncryption) -> bytes:
        form = serialization.PrivateFormat.PKCS8
        return self.key.private_bytes(serialization.Encoding.PEM, form, encryption)

    def server(self, *, clients_of: Pair | None = None) -> ssl.SSLContext:
        """TLS of a server with this certificate, for clients that an authority vouches for, or for all."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate_file, self.key_file)
        if clients_of is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(clients_of.certificate_file)
        return context
