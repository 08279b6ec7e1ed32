"""The operator's settings: environment variables, checked at start with a sentence that names the variable."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from foretide.api.names import NAMESPACE
from foretide.serving.download import DownloadSettings

PREFIX: Final = "FORETIDE_"

# From a second on: PromQL knows no fractions, and scaling.settings refuses them too.
Seconds = Annotated[float, Field(ge=1, le=86_400, allow_inf_nan=False)]
FilePath = Annotated[str, Field(pattern=r"^(/.+)?$")]


# Set by the client, or of a setting of their own.
_NO_TENANT_HEADERS: Final = frozenset(
    {"authorization", "connection", "content-length", "content-type", "cookie", "host", "transfer-encoding"}
)


class Settings(BaseModel):
    """Every setting, its default and its range; `FORETIDE_TICK_SECONDS` sets `tick_seconds`, and so on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prometheus_url: Annotated[str, Field(pattern=r"^https?://[^/\s@?#]+(/[^\s?#]*)?$")] = (
        "http://prometheus.monitoring.svc:9090"
    )
    """A server with Prometheus' query API. Credentials are in files, never in the URL."""
    prometheus_bearer_token_file: FilePath = ""
    """File with a token, sent as `Authorization: Bearer`. All these files are read anew when they change."""
    prometheus_username: Annotated[str, Field(pattern=r"^[^:\x00-\x1f\x7f]*$")] = ""
    """User of basic authentication; needs prometheus_password_file."""
    prometheus_password_file: FilePath = ""
    prometheus_ca_file: FilePath = ""
    """File with the certificates (PEM) of who may vouch for the server; default: the public authorities."""
    prometheus_client_certificate_file: FilePath = ""
    """File with the operator's own certificate (PEM), which may hold its key too."""
    prometheus_client_key_file: FilePath = ""
    prometheus_tenant_header: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,64}$")] = "X-Scope-OrgID"
    """Header that names the tenant (Mimir, Cortex: X-Scope-OrgID; Thanos: THANOS-TENANT)."""
    prometheus_tenant: Annotated[str, Field(pattern=r"^([!-~]([ -~]{0,254}[!-~])?)?$")] = ""
    """Its value; the header is sent when there is one."""
    watch_namespaces: Annotated[str, Field(pattern=f"^({NAMESPACE}( {NAMESPACE})*)?$")] = ""
    """Namespaces to work in, by spaces; nothing of any other is read or written. Default: all."""
    tick_seconds: Annotated[Seconds, Field(le=300)] = 15.0
    """Time between two decisions of the autoscale loop."""
    scrape_interval_seconds: Annotated[int, Field(ge=1, le=60)] = 5
    """How often Prometheus really scrapes Triton. rate() has a window of six; a sample older than four is stale."""
    scale_down_hold_seconds: Seconds = 300.0
    """How long a need must have been gone before replicas go."""
    sweep_seconds: Seconds = 300.0
    """Time in which each kind is compared once with the cluster, one after the other."""
    drain_seconds: Annotated[int, Field(ge=1, le=300)] = 5
    """How long a leaving pod goes on serving while endpoints forget it."""
    download_image: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:/@-]*$")] = DownloadSettings().image
    """Image of rclone, which downloads models; a digest (@sha256:...) pins it."""
    download_flags: Annotated[
        str, Field(pattern=r"^(--[a-z][a-z0-9-]*(=[!-~]*)?( --[a-z][a-z0-9-]*(=[!-~]*)?)*)?$")
    ] = ""
    """Flags of rclone after the operator's own, by spaces, such as `--bwlimit=100M --transfers=8`."""
    download_size_limit: Annotated[str, Field(pattern=r"^[1-9][0-9]{0,14}(k|M|G|T|Ki|Mi|Gi|Ti)?$")] = (
        DownloadSettings().size_limit
    )
    """How large a downloaded model may be, in bytes, where its hardware class limits no ephemeral-storage."""
    workers: Annotated[int, Field(ge=1, le=64)] = 16
    """Services reconciled at the same time."""
    listen_port: Annotated[int, Field(ge=1, le=65535)] = 8080
    """Port of /livez, /readyz and /metrics."""
    pod_namespace: Annotated[str, Field(min_length=1)] = "foretide-system"
    """Namespace of the Lease."""
    pod_name: str = ""
    """Identity in the Lease; default: host name and process id."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["json", "text"] = "json"

    @property
    def namespaces(self) -> tuple[str, ...]:
        """Those to work in; empty: all."""
        return tuple(dict.fromkeys(self.watch_namespaces.split()))

    @model_validator(mode="after")
    def _hold_is_longer_than_a_tick(self) -> Settings:
        if self.scale_down_hold_seconds < self.tick_seconds:
            raise ValueError(
                f"scale_down_hold_seconds = {self.scale_down_hold_seconds:g} must not be shorter than "
                f"tick_seconds = {self.tick_seconds:g}: a hold shorter than a tick holds nothing"
            )
        return self

    @model_validator(mode="after")
    def _prometheus_is_asked_in_one_way(self) -> Settings:
        if problems := list(self._prometheus_problems()):
            raise ValueError("; ".join(problems))
        return self

    def _prometheus_problems(self) -> Iterator[str]:
        if self.prometheus_bearer_token_file and (self.prometheus_username or self.prometheus_password_file):
            yield (
                "prometheus_bearer_token_file and basic authentication (prometheus_username, prometheus_password_file) "
                "exclude each other: a request has one Authorization header; set one of them"
            )
        elif bool(self.prometheus_username) != bool(self.prometheus_password_file):
            yield "prometheus_username and prometheus_password_file must be set together: basic authentication is both"
        if self.prometheus_client_key_file and not self.prometheus_client_certificate_file:
            yield (
                "prometheus_client_key_file needs prometheus_client_certificate_file: a key without its certificate "
                "proves nothing"
            )
        of_tls = ("prometheus_ca_file", "prometheus_client_certificate_file")
        if self.prometheus_url.startswith("http://") and (given := [name for name in of_tls if getattr(self, name)]):
            yield f"{' and '.join(given)} must not be set with an http:// URL, which has no TLS; set https://"
        if self.prometheus_tenant_header.lower() in _NO_TENANT_HEADERS:
            header = self.prometheus_tenant_header
            yield f"prometheus_tenant_header = {header} must name the tenant's header, and that one has another meaning"


class SettingsError(Exception):
    """One or more settings cannot be used; the text names each variable, its value and the rule."""


def load(environment: Mapping[str, str] = os.environ) -> Settings:
    """Settings from the environment; raises SettingsError with every problem, not the first only."""
    known = {PREFIX + name.upper(): name for name in Settings.model_fields}
    given: dict[str, Any] = {known[name]: value for name, value in environment.items() if name in known}
    unknown = sorted(name for name in environment if name.startswith(PREFIX) and name not in known)
    problems = [f"{name}: no such setting; known are {', '.join(sorted(known))}" for name in unknown]
    try:
        settings = Settings.model_validate(given)
    except ValidationError as error:
        problems += [_sentence(problem) for problem in error.errors()]
    if problems:
        raise SettingsError("\n".join(problems))
    return settings


def _sentence(problem: Any) -> str:
    variable = PREFIX + str(problem["loc"][0]).upper() if problem["loc"] else "settings"
    if not problem["loc"]:
        return str(problem["msg"])
    # A URL may hold a password, which is one reason why it is refused.
    shown = re.sub(r"//.*@", "//***@", repr(problem["input"]))
    return f"{variable} = {shown}: {problem['msg']}"
