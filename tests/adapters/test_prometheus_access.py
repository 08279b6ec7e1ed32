"""Who is let in to Prometheus, how, and that no secret is ever shown."""

from __future__ import annotations

import base64
import logging
import os
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from foretide.adapters.errors import AdapterError, Unavailable
from foretide.adapters.prometheus import PrometheusApi
from foretide.adapters.prometheus_access import Access, Connections, Credentials
from foretide.api.reasons import Reason
from tests.adapters.certificates import Pair
from tests.adapters.prometheus_server import ANSWERED_AT, Server, answering, serving, vector
from tests.control.fakes import FakeClock

CLOCK = FakeClock(ANSWERED_AT)
TOKEN = "eyJhbGciOi.J9-_secret"
PASSWORD = "pässword: with\tall"


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        server.answer = answering(vector())
        yield server


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(TOKEN + "\n")
    return path


@pytest.fixture
def password_file(tmp_path: Path) -> Path:
    path = tmp_path / "password"
    path.write_text(PASSWORD + "\n")
    return path


async def ask(url: str, **access: Any) -> None:
    client = PrometheusApi(Access(url=url, **{name: str(value) for name, value in access.items()}), CLOCK)
    try:
        await client.by_pod("up")
    finally:
        client.close()


async def reason(url: str, **access: Any) -> str:
    """Why it does not work."""
    with pytest.raises(AdapterError) as raised:
        await ask(url, **access)
    assert TOKEN not in str(raised.value)
    return raised.value.reason


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


async def test_without_files_nothing_is_said(server: Server) -> None:
    await ask(server.url)
    assert not {"Authorization", "X-Scope-OrgID", "Cookie"} & server.seen[0].keys()


async def test_a_token_is_sent(server: Server, token_file: Path) -> None:
    await ask(server.url, bearer_token_file=token_file)
    assert server.seen[0]["Authorization"] == f"Bearer {TOKEN}"


async def test_a_user_and_a_password_are_sent(server: Server, password_file: Path) -> None:
    await ask(server.url, username="företide", password_file=password_file)
    assert server.seen[0]["Authorization"] == basic("företide", PASSWORD)


async def test_a_tenant_is_named(server: Server, token_file: Path) -> None:
    await ask(server.url, tenant_header="THANOS-TENANT", tenant="team a", bearer_token_file=token_file)
    assert server.seen[0]["THANOS-TENANT"] == "team a"
    assert server.seen[0]["Authorization"] == f"Bearer {TOKEN}"


async def test_a_range_is_let_in_too(server: Server, token_file: Path) -> None:
    client = PrometheusApi(Access(url=server.url, bearer_token_file=str(token_file)), CLOCK)
    await client.history("x", start_seconds=0, end_seconds=60, step_seconds=60)
    client.close()
    assert server.seen[0]["Authorization"] == f"Bearer {TOKEN}"


def overwritten(path: Path, text: str) -> None:
    """In place, in the same length and with the old time: as bad as it gets."""
    before = path.stat()
    path.write_text(text)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replaced(path: Path, text: str) -> None:
    new = path.with_suffix(".new")
    new.write_text(text)
    new.rename(path)


def removed(path: Path) -> None:
    path.unlink()


def relinked(path: Path, text: str) -> None:
    """As the kubelet changes a Secret's volume."""
    folder = path.parent / f"..{len(list(path.parent.iterdir()))}"
    folder.mkdir()
    (folder / path.name).write_text(text)
    link = path.with_suffix(".link")
    link.symlink_to(folder / path.name)
    link.rename(path)


@pytest.mark.parametrize("change", [overwritten, replaced, relinked])
async def test_a_token_that_changes_is_read_anew(
    server: Server, token_file: Path, change: Callable[[Path, str], None]
) -> None:
    client = PrometheusApi(Access(url=server.url, bearer_token_file=str(token_file)), CLOCK)
    await client.by_pod("up")
    for text in (TOKEN.replace("secret", "rotate"), TOKEN.replace("secret", "really")):
        change(token_file, text + "\n")
        await client.by_pod("up")
        assert server.seen[-1]["Authorization"] == f"Bearer {text}"
    client.close()


def test_a_connection_is_kept_while_no_file_changes(token_file: Path) -> None:
    connections = Connections(Access(url="http://x", bearer_token_file=str(token_file)))
    assert connections.current() is connections.current()
    connections.close()


async def test_a_token_that_vanishes_is_missed_until_it_is_back(server: Server, token_file: Path) -> None:
    client = PrometheusApi(Access(url=server.url, bearer_token_file=str(token_file)), CLOCK)
    await client.by_pod("up")
    removed(token_file)
    with pytest.raises(Unavailable, match=f"{token_file}: No such file or directory") as raised:
        await client.by_pod("up")
    assert raised.value.reason == Reason.PROMETHEUS_UNAUTHORIZED
    assert len(server.seen) == 1, "nothing is sent without its credentials, nor with old ones"
    replaced(token_file, "again")
    await client.by_pod("up")
    assert server.seen[-1]["Authorization"] == "Bearer again"
    client.close()


@pytest.mark.parametrize("text", ["", "\n", "two words", f"{TOKEN}\nX-Evil: 1", "tökén", "\x00"], ids=repr)
async def test_what_is_no_token_is_not_sent_and_not_shown(server: Server, tmp_path: Path, text: str) -> None:
    path = tmp_path / "token"
    path.write_text(text)
    with pytest.raises(Unavailable, match="must hold one line of visible ASCII characters") as raised:
        await ask(server.url, bearer_token_file=path)
    assert raised.value.reason == Reason.PROMETHEUS_UNAUTHORIZED
    assert "words" not in str(raised.value)
    assert TOKEN not in str(raised.value)
    assert server.seen == []


async def test_an_empty_password_is_missed(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("\n")
    assert await reason(server.url, username="me", password_file=path) == Reason.PROMETHEUS_UNAUTHORIZED
    assert server.seen == []


@pytest.mark.parametrize("status", [200, 400, 401, 503])
async def test_a_server_that_repeats_the_request_puts_no_secret_into_the_log(
    server: Server, token_file: Path, password_file: Path, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    """Error pages of proxies do; a 200 has it among its warnings."""

    def echo(handler: BaseHTTPRequestHandler) -> None:
        said = f"{handler.headers['Authorization']} {PASSWORD} {TOKEN}"
        answering({**vector(), "warnings": [said], "error": said}, status)(handler)

    server.answer = echo
    caplog.set_level(logging.DEBUG)
    ways: list[dict[str, Any]] = [
        {"bearer_token_file": token_file},
        {"username": "me", "password_file": password_file},
    ]
    for way in ways:
        with pytest.raises(AdapterError) as raised:
            await ask(server.url, **way)
        secret = TOKEN if "bearer_token_file" in way else basic("me", PASSWORD).split()[1]
        assert secret not in repr(raised.value)
        assert caplog.text
        assert secret not in caplog.text
        assert "***" in caplog.text
        caplog.clear()


def test_nothing_that_is_printed_has_a_secret(token_file: Path) -> None:
    access = Access(url="http://x", bearer_token_file=str(token_file))
    credentials = Credentials.read(access)
    shown = f"{access!r} {credentials!r} {credentials} {PrometheusApi(access)!r} {Connections(access).current()!r}"
    assert TOKEN not in shown
    assert credentials.masked(f"a {TOKEN} b") == "a *** b"


class Trust:
    """An authority, and what it signed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ca = Pair.authority(folder)
        self.server = Pair.made(folder, "server", issuer=self.ca)
        self.client = Pair.made(folder, "client", issuer=self.ca)

    @property
    def mutual(self) -> dict[str, Any]:
        """How a client comes in."""
        return {
            "ca_file": self.ca.certificate_file,
            "client_certificate_file": self.client.certificate_file,
            "client_key_file": self.client.key_file,
        }


@pytest.fixture
def trust(tmp_path: Path) -> Trust:
    return Trust(tmp_path)


def https(server: Server) -> str:
    return server.url.replace("http://", "https://")


async def test_a_server_that_our_authority_vouches_for_is_asked(trust: Trust) -> None:
    with serving(trust.server.server()) as server:
        server.answer = answering(vector())
        await ask(https(server), ca_file=trust.ca.certificate_file)
        assert server.queries == ["up"]


async def test_a_server_that_nobody_vouches_for_is_told_nothing(trust: Trust, token_file: Path) -> None:
    """And TLS is never left out, nor tried without its checks."""
    stranger = Pair.authority(trust.folder, "stranger")
    expired = Pair.made(trust.folder, "expired", issuer=trust.ca, days=(-9, -1))
    early = Pair.made(trust.folder, "early", issuer=trust.ca, days=(1, 9))
    elsewhere = Pair.made(trust.folder, "elsewhere", issuer=trust.ca, address="10.0.0.1")
    foreign = Pair.made(trust.folder, "foreign", issuer=stranger)
    for pair in (expired, early, elsewhere, foreign):
        with serving(pair.server()) as server:
            server.answer = answering(vector())
            access = {"ca_file": trust.ca.certificate_file, "bearer_token_file": token_file}
            assert await reason(https(server), **access) == Reason.PROMETHEUS_TLS
            assert server.seen == []
    with serving(trust.server.server()) as server:  # the public authorities know nothing of ours
        assert await reason(https(server), bearer_token_file=token_file) == Reason.PROMETHEUS_TLS
        assert server.seen == []


async def test_the_environment_adds_no_authority(trust: Trust, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, str(trust.ca.certificate_file))
    with serving(trust.server.server()) as server:
        assert await reason(https(server)) == Reason.PROMETHEUS_TLS


async def test_a_server_without_tls_is_not_asked_without_it(server: Server, trust: Trust) -> None:
    assert await reason(https(server), ca_file=trust.ca.certificate_file) == Reason.PROMETHEUS_TLS
    assert server.seen == []


async def test_nobody_there_is_no_matter_of_certificates(trust: Trust) -> None:
    with serving() as server:
        gone = https(server)
    assert await reason(gone, ca_file=trust.ca.certificate_file) == Reason.PROMETHEUS_UNREACHABLE


async def test_a_connection_that_breaks_within_tls_is_unreachable(trust: Trust) -> None:
    with serving(trust.server.server()) as server:
        server.answer = lambda handler: handler.connection.close()
        access = {"ca_file": trust.ca.certificate_file}
        assert await reason(https(server), **access) == Reason.PROMETHEUS_UNREACHABLE


async def test_a_client_with_a_certificate_is_let_in(trust: Trust) -> None:
    with serving(trust.server.server(clients_of=trust.ca)) as server:
        server.answer = answering(vector())
        await ask(https(server), **trust.mutual)
        assert await reason(https(server), ca_file=trust.ca.certificate_file) == Reason.PROMETHEUS_TLS


async def test_a_certificate_may_have_its_key_in_one_file(trust: Trust) -> None:
    both = trust.folder / "both.pem"
    both.write_bytes(trust.client.key_file.read_bytes() + trust.client.certificate_file.read_bytes())
    with serving(trust.server.server(clients_of=trust.ca)) as server:
        server.answer = answering(vector())
        await ask(https(server), ca_file=trust.ca.certificate_file, client_certificate_file=both)


async def test_a_wrong_file_of_tls_is_named_as_that(trust: Trust) -> None:
    encrypted = trust.folder / "encrypted.key"
    encrypted.write_bytes(trust.client.key_bytes(serialization.BestAvailableEncryption(b"x")))
    empty = trust.folder / "empty"
    empty.touch()
    with serving(trust.server.server(clients_of=trust.ca)) as server:
        for wrong in (
            {"client_key_file": trust.server.key_file},
            {"client_key_file": encrypted},
            {"client_key_file": empty},
            {"client_certificate_file": empty},
            {"ca_file": empty},
            {"ca_file": trust.folder / "missing"},
            {"client_key_file": trust.folder / "missing"},
            {"ca_file": trust.folder},
        ):
            assert await reason(https(server), **{**trust.mutual, **wrong}) == Reason.PROMETHEUS_TLS, wrong
        assert server.seen == []


async def test_certificates_that_change_are_read_anew(trust: Trust) -> None:
    """A new authority on both sides, while the old connection is still open."""
    with serving(trust.server.server(clients_of=trust.ca)) as server:
        server.answer = answering(vector())
        client = PrometheusApi(
            Access(url=https(server), **{name: str(path) for name, path in trust.mutual.items()}), CLOCK
        )
        await client.by_pod("up")
        renewed = Trust(trust.folder)  # the same files
        server.tls = renewed.server.server(clients_of=renewed.ca)
        await client.by_pod("up")
        assert len(server.queries) == 2
        client.close()
