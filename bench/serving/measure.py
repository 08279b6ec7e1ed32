"""The configurations of one model, each loaded by a real Triton and asked for more and more."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from bench.serving.configurations import DEFAULTS, DERIVED, OBJECTIVE, Configuration
from bench.serving.models import Measurable
from bench.serving.search import Staircase, level_of, rate_of, roughly
from e2e.load import Plan, arrivals, run, steady
from e2e.load.report import totals
from e2e.local_triton import NotStartedError, Server, model_repository, serving

# A window that lasts so long that a p99 is of more than a handful of requests.
LEAST_REQUESTS: Final = 300
STRIDE: Final = 6  # levels: a rate of 1.42 times
CLOSE: Final = 2
FLOOR_RPS: Final = 1.0

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Effort:
    """How long each rate is sent, first for every configuration and then, in rounds, for the best of them."""

    rough_seconds: float
    seconds: float
    rounds: int
    finalists: int  # of the sweep, beside the derived configuration and the defaults


@dataclass(frozen=True, slots=True)
class Measured:
    """What one Triton served within the SLO; an error where it did not load."""

    model: str
    configuration: str
    rough_rps: float  # 0 where it kept the SLO at no rate that it was asked
    lowest_rps: float = FLOOR_RPS  # the lowest that it would have been asked
    rate_rps: float | None = None  # by the rounds; None for those that did not get so far
    between_rps: tuple[float, float] = (0.0, 0.0)
    late: int = 0  # rounds in which the machine kept the sender from its schedule
    error: str = ""


@contextmanager
def loaded(root: Path, model: Measurable, configuration: Configuration, folder: Path) -> Iterator[Server]:
    """A server with this one model, configured so."""
    shutil.rmtree(folder / "models", ignore_errors=True)
    repository = model_repository(folder, model.name, configuration.text, model.file, named=model.file_name)
    with serving(root, repository, environment=configuration.environment) as server:
        yield server


@dataclass(frozen=True, slots=True)
class Window:
    """What came of one rate."""

    share_in_time: float
    sender_was_late: bool

    @property
    def kept(self) -> bool:
        return self.share_in_time >= OBJECTIVE


def window(server: Server, model: Measurable, level: int, *, seconds: float, seed: int) -> Window:
    """Sends one rate to a server on which nothing waits; the arrivals are the same for the same level and seed."""
    server.until_idle()
    target, rate_rps = server.infer(model.name), rate_of(level)
    lasts = min(max(seconds, LEAST_REQUESTS / rate_rps), 3.0 * seconds)
    plan = Plan(
        target=target,
        arrivals=arrivals(steady(rate_rps, seconds=lasts), seed=seed),
        payloads=model.requests(target),
        timeout_seconds=max(1.0, 8.0 * model.slo_seconds),
        max_in_flight=2048,
    )
    found = totals(run(plan), slo_seconds=model.slo_seconds)
    return Window(found.share_within_slo, found.generator_was_late)


def measure(
    root: Path, model: Measurable, ways: Sequence[Configuration], folder: Path, *, effort: Effort, say: Say
) -> list[Measured]:
    """All configurations of a model, roughly one after the other, then the finalists side by side."""
    rows: list[Measured] = []
    first = level_of(model.first_rps)
    for way in ways:
        # Who of the sweep does not keep 0.7 of the best so far is not searched any further.
        best = max((row.rough_rps for row in rows), default=0.0)
        ends_early = best > 0.0 and way.name not in (DERIVED, DEFAULTS)
        floor = level_of(best) - STRIDE if ends_early else level_of(FLOOR_RPS)
        row = _rough(root, model, way, folder, first=floor if ends_early else first, floor=floor, effort=effort)
        say(f"{model.name}, {way.name}: {row.error or f'about {row.rough_rps:.0f}/s'}")
        rows.append(row)
    chosen = finalists(rows, effort.finalists)
    final = _side_by_side(root, model, [way for way in ways if way.name in chosen], folder, rows, effort, say)
    return [final.get(row.configuration, row) for row in rows]


def finalists(rows: Sequence[Measured], count: int) -> set[str]:
    """The derived configuration, the defaults, and the best of the others so far; none that kept the SLO at no rate."""
    able = [row for row in rows if row.rough_rps > 0.0]
    swept = [row for row in able if row.configuration not in (DERIVED, DEFAULTS)]
    best = sorted(swept, key=lambda row: -row.rough_rps)[:count]
    return {row.configuration for row in [*best, *(row for row in able if row not in swept)]}


def _rough(
    root: Path, model: Measurable, way: Configuration, folder: Path, *, first: int, floor: int, effort: Effort
) -> Measured:
    try:
        with loaded(root, model, way, folder / "rough") as server:

            def keeps(level: int) -> bool:
                return window(server, model, level, seconds=effort.rough_seconds, seed=0).kept

            keeps(first - 2 * STRIDE)  # what a first request pays for is no one's rate
            level = roughly(keeps, first=first, floor=floor, stride=STRIDE, close=CLOSE)
    except NotStartedError as error:
        return Measured(model.name, way.name, 0.0, error=str(error))
    return Measured(model.name, way.name, 0.0 if level is None else rate_of(level), rate_of(floor))


def _side_by_side(
    root: Path,
    model: Measurable,
    ways: Sequence[Configuration],
    folder: Path,
    rows: Sequence[Measured],
    effort: Effort,
    say: Say,
) -> dict[str, Measured]:
    """Rounds in which each gets a window: what else the machine does by then is the same for all of them.

    All of their servers run all the time, and one of them has work. Every second round goes the other way round, so
    that none is always the first.
    """
    before = {row.configuration: row for row in rows}
    late = dict.fromkeys(before, 0)
    with ExitStack() as stack:
        servers = {
            way.name: stack.enter_context(loaded(root, model, way, folder / f"final-{place}"))
            for place, way in enumerate(ways)
        }
        stairs = {name: Staircase(level_of(before[name].rough_rps)) for name in servers}
        for name, server in servers.items():
            window(server, model, stairs[name].level - STRIDE, seconds=effort.rough_seconds, seed=0)
        for turn in range(effort.rounds):
            for name in list(servers)[:: 1 if turn % 2 == 0 else -1]:
                level = stairs[name].level
                seen = window(servers[name], model, level, seconds=effort.seconds, seed=1 + turn)
                stairs[name].told(seen.kept)
                late[name] += seen.sender_was_late
                say(f"{model.name}, {name}, round {turn + 1}: {rate_of(level):.0f}/s, {seen.share_in_time:.2%} in time")
    return {
        name: replace(before[name], rate_rps=one.rate_rps, between_rps=one.between_rps, late=late[name])
        for name, one in stairs.items()
    }
