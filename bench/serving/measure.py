"""One configuration, loaded by a real Triton and asked for more and more."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.serving.configurations import OBJECTIVE, Configuration
from bench.serving.models import Measurable
from bench.serving.search import rate_at_slo
from e2e.load import Plan, arrivals, start, steady
from e2e.load.report import totals
from e2e.local_triton import NotStartedError, Server, serving

# A load that lasts so long that a p99 is of more than a handful of requests.
LEAST_REQUESTS: Final = 400


@dataclass(frozen=True, slots=True)
class Effort:
    """How long each rate is sent, and how close two rates may be before the search ends."""

    seconds: float
    resolution: float


@dataclass(frozen=True, slots=True)
class Measured:
    """What one Triton served within the SLO; an error where it did not load."""

    model: str
    configuration: str
    rate_rps: float
    error: str = ""
    generator_was_late: bool = False


@contextmanager
def loaded(root: Path, model: Measurable, configuration: Configuration, folder: Path) -> Iterator[Server]:
    """A server with this one model, configured so."""
    repository = folder / "models"
    shutil.rmtree(repository, ignore_errors=True)
    version = repository / model.name / "1"
    version.mkdir(parents=True)
    for file in model.files:
        shutil.copy(file, version)
    (repository / model.name / "config.pbtxt").write_text(configuration.text, encoding="utf-8")
    with serving(root, repository, environment=configuration.environment) as server:
        yield server


def measure(
    root: Path,
    model: Measurable,
    configuration: Configuration,
    folder: Path,
    *,
    effort: Effort,
    say: Callable[[str], None],
) -> Measured:
    """The rate at the SLO of one configuration; each rate is sent for that long, or longer if it is low."""
    late = False
    try:
        with loaded(root, model, configuration, folder) as server:
            target = server.infer(model.name)
            payloads = model.requests(target)

            def share(rate_rps: float) -> float:
                nonlocal late
                server.until_idle()
                lasts = min(max(effort.seconds, LEAST_REQUESTS / rate_rps), 3.0 * effort.seconds)
                plan = Plan(
                    target=target,
                    arrivals=arrivals(steady(rate_rps, seconds=lasts), seed=1),
                    payloads=payloads,
                    timeout_seconds=max(1.0, 8.0 * model.slo_seconds),
                    max_in_flight=2048,
                )
                with start(plan) as load:
                    found = totals(load.result(), slo_seconds=model.slo_seconds)
                late = late or found.generator_was_late
                say(f"{model.name}, {configuration.name}: {rate_rps:.0f}/s, {found.share_within_slo:.2%} in time")
                return found.share_within_slo

            share(model.first_rps / 2.0)  # what a first request pays for is no one's rate
            rate = rate_at_slo(share, objective=OBJECTIVE, first_rps=model.first_rps, resolution=effort.resolution)
    except NotStartedError as error:
        return Measured(model.name, configuration.name, 0.0, error=str(error))
    return Measured(model.name, configuration.name, rate, generator_was_late=late)
