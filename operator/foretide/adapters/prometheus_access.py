"""How the operator is let in to Prometheus: credentials from files that may change, and TLS that is never left out."""

from __future__ import annotations

import base64
import os
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import requests
from prometheus_api_client import PrometheusConnect
from requests.auth import AuthBase
from urllib3.util.retry import Retry

from foretide.adapters.errors import Unavailable
from foretide.adapters.prometheus_answer import checked

# What a header may hold; requests would name any other value in its error.
_TOKEN: Final = re.compile(rb"[\x21-\x7e]+")

# Of one file: when it was written or replaced, its length, and which it is. A Secret's volume swaps a link.
_Stamp = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Where Prometheus is, and by which files it lets the operator in. Nothing in here is a secret."""

    url: str
    bearer_token_file: str = ""
    username: str = ""
    password_file: str = ""
    ca_file: str = ""
    client_certificate_file: str = ""
    client_key_file: str = ""
    tenant_header: str = ""
    tenant: str = ""

    @property
    def secrets(self) -> tuple[str, ...]:
        """Files of what goes into a header."""
        return tuple(filter(None, (self.bearer_token_file, self.password_file)))

    @property
    def certificates(self) -> tuple[str, ...]:
        """Files of TLS."""
        return tuple(filter(None, (self.ca_file, self.client_certificate_file, self.client_key_file)))


class Credentials(AuthBase):
    """The headers that let a request in; they are shown nowhere."""

    def __init__(self, headers: Mapping[str, str], *secrets: str) -> None:
        self._headers: Final = dict(headers)
        self._secrets: Final = secrets

    @classmethod
    def read(cls, access: Access) -> Credentials:
        """From the files as they are now; raises Unavailable (PrometheusUnauthorized)."""
        headers = {access.tenant_header: access.tenant} if access.tenant else {}
        if access.bearer_token_file:
            token = _read(access.bearer_token_file, reason="PrometheusUnauthorized").strip()
            if not _TOKEN.fullmatch(token):
                raise _useless(access.bearer_token_file, "must hold one line of visible ASCII characters")
            text = token.decode("ascii")
            return cls({**headers, "Authorization": f"Bearer {text}"}, text)
        if access.password_file:
            password = _read(access.password_file, reason="PrometheusUnauthorized").rstrip(b"\r\n")
            if not password:
                raise _useless(access.password_file, "must hold a password")
            text = base64.b64encode(access.username.encode() + b":" + password).decode("ascii")
            return cls({**headers, "Authorization": f"Basic {text}"}, text, password.decode(errors="replace"))
        return cls(headers)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers.update(self._headers)
        return request

    def __repr__(self) -> str:
        return "Credentials(***)"

    def masked(self, text: str) -> str:
        """A text of the other side without what we sent it: error pages of proxies show the request."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text


class Connections:
    """The connection of the moment: opened anew when one of the files has changed. For many threads."""

    def __init__(self, access: Access) -> None:
        self._access: Final = access
        self._lock: Final = threading.Lock()
        self._stamps: tuple[_Stamp, ...] | None = None
        self._connection: PrometheusConnect | None = None

    def current(self) -> PrometheusConnect:
        """Raises Unavailable, with PrometheusUnauthorized or PrometheusTLS, where a file cannot be used."""
        with self._lock:
            stamps = self._stamped()  # before the files are read: what changes in between is seen at the next call
            if self._connection is None or stamps != self._stamps:
                # A query under way keeps the old connection until it has its answer.
                self._connection, self._stamps = _connect(self._access), stamps
            return self._connection

    def close(self) -> None:
        """Ends all idle connections."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()

    def _stamped(self) -> tuple[_Stamp, ...]:
        of_secrets = [_stamp(path, reason="PrometheusUnauthorized") for path in self._access.secrets]
        return (*of_secrets, *(_stamp(path, reason="PrometheusTLS") for path in self._access.certificates))


def _connect(access: Access) -> PrometheusConnect:
    credentials = Credentials.read(access)
    for path in access.certificates:
        _read(path, reason="PrometheusTLS")  # here, with the name of the file: OpenSSL does not tell it
    session = requests.Session()
    session.trust_env = False  # a proxy variable in the environment must not redirect cluster traffic
    session.auth = credentials
    session.verify = access.ca_file or True
    if access.client_certificate_file:  # the key may be in the same file
        pair = (access.client_certificate_file, access.client_key_file)
        session.cert = pair if access.client_key_file else access.client_certificate_file
    # Hooks come before the body is read, and an error of theirs ends the request.
    session.hooks["response"] = [partial(_hook, credentials)]
    # The next tick is the retry: retrying inside one would outlast the tick.
    return PrometheusConnect(url=access.url.rstrip("/"), session=session, retry=Retry(total=0), method="POST")


def _hook(credentials: Credentials, response: requests.Response, **_: Any) -> requests.Response:
    return checked(response, masked=credentials.masked)


def _stamp(path: str, *, reason: str) -> _Stamp:
    try:
        found = os.stat(path)  # noqa: PTH116 - the same, and this is asked before each query
    except OSError as error:
        raise Unavailable(f"{path}: {error.strerror}", reason=reason) from error
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino


def _read(path: str, *, reason: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise Unavailable(f"{path}: {error.strerror}", reason=reason) from error


def _useless(path: str, rule: str) -> Unavailable:
    return Unavailable(f"{path} {rule}", reason="PrometheusUnauthorized")
