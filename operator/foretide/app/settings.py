"""The operator's settings: environment variables, checked at start with a sentence that names the variable."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

PREFIX: Final = "FORETIDE_"

# From a second on: PromQL knows no fractions, and scaling.settings refuses them too.
Seconds = Annotated[float, Field(ge=1, le=86_400, allow_inf_nan=False)]


class Settings(BaseModel):
    """Every setting, its default and its range; `FORETIDE_TICK_SECONDS` sets `tick_seconds`, and so on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prometheus_url: Annotated[str, Field(pattern=r"^https?://[^/\s]+(/\S*)?$")] = (
        "http://prometheus.monitoring.svc:9090"
    )
    """A server with Prometheus' query API."""
    tick_seconds: Annotated[Seconds, Field(le=300)] = 15.0
    """Time between two decisions of the autoscale loop."""
    rate_window_seconds: Annotated[float, Field(ge=5, le=3_600, allow_inf_nan=False)] = 30.0
    """Window of rate() in PromQL: at least four scrape intervals, so that one lost scrape is survived."""
    scale_down_hold_seconds: Seconds = 300.0
    """How long a need must have been gone before replicas go."""
    sweep_seconds: Seconds = 300.0
    """Time between two full comparisons of the caches with the cluster."""
    drain_seconds: Annotated[int, Field(ge=1, le=300)] = 5
    """How long a leaving pod goes on serving while endpoints forget it."""
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

    @model_validator(mode="after")
    def _hold_is_longer_than_a_tick(self) -> Settings:
        if self.scale_down_hold_seconds < self.tick_seconds:
            raise ValueError(
                f"scale_down_hold_seconds = {self.scale_down_hold_seconds:g} must not be shorter than "
                f"tick_seconds = {self.tick_seconds:g}: a hold shorter than a tick holds nothing"
            )
        return self


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
    return f"{variable} = {problem['input']!r}: {problem['msg']}" if problem["loc"] else problem["msg"]
