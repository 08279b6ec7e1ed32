"""What a young service's rhythm is worth, once it is found: `python -m bench.seasons`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from bench.brain.special import PEER, STEP_SECONDS, lane
from foretide.scaling.arrays import Floats
from foretide.simulate.observe import profile, promise
from foretide.simulate.outcome import Outcome
from foretide.simulate.policies import listed
from foretide.simulate.run import simulate
from foretide.simulate.scenario import Conditions, Lane
from foretide.simulate.workload import QueueName

HOURS: Final = 3
HOUR_STEPS: Final = round(3_600.0 / STEP_SECONDS)
PERIODS_SECONDS: Final = (600.0, 900.0, 1_800.0)
# Of a replica: in the nights, and the height of a day above them.
NIGHT_REPLICAS, DAY_REPLICAS = 0.6, 6.0
TARGETS: Final = (0.3, 0.5)

# Share of the height, of the share of the period that has passed (0 to 1).
SHAPES: Final[dict[str, Callable[[Floats], Floats]]] = {
    "sine": lambda phase: 0.5 - 0.5 * np.cos(2.0 * np.pi * phase),
    "ramp": lambda phase: np.interp(phase, [0.0, 0.4, 0.55, 0.75, 0.9], [0.0, 0.0, 1.0, 1.0, 0.0]),
    "spike": lambda phase: ((phase > 0.8) & (phase < 0.92)).astype(np.float64),
    "office day": lambda phase: np.interp(
        phase, [0.0, 0.2, 0.35, 0.45, 0.5, 0.65, 0.8, 1.0], [0.1, 0.08, 0.3, 0.9, 0.8, 1.0, 0.5, 0.1]
    ),
}


@dataclass(frozen=True, slots=True)
class Unevenness:
    """Standard deviations of logarithms: of each day's height (half of it of each step's), and of each day's length."""

    height: float
    length: float


UNEVEN: Final = (Unevenness(0.05, 0.0), Unevenness(0.25, 0.02), Unevenness(0.1, 0.08))


def lanes() -> Iterator[tuple[str, Lane]]:
    """Each shape with each period and each unevenness; the name of the shape comes first."""
    random = np.random.default_rng(7)
    for shape, height in SHAPES.items():
        for period_seconds in PERIODS_SECONDS:
            for uneven in UNEVEN:
                replicas = _replicas(height, period_seconds, uneven, random)
                yield shape, lane(replicas, seed=1, queue=QueueName.DEFAULT)


def main(arguments: list[str] | None = None) -> int:
    """Prints a row for each policy and shape."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.seasons",
        description=f"The first {HOURS} hours of 36 services that nobody knows, each with a rhythm of its own: 10, 15 "
        "or 30 minutes, more or less regular, cold starts of two minutes. Prints what was late and what it cost in "
        "each hour, under Foretide and under an HPA that counts what is refused. A minute on one processor.",
    )
    parser.parse_args(arguments)
    named = list(lanes())
    every = [each for _, each in named]
    hours = "".join(f"{f'hour {hour + 1}: late':>16}{'replica-hours':>15}" for hour in range(HOURS))
    print(f"{'policy':<20}{'shape':<12}{hours}")
    for name, knobs in (("foretide", {}), *((PEER, {"target": target}) for target in TARGETS)):
        policy = listed(name).policy(profile(every), promise(every), knobs)
        outcomes = simulate(policy, every, conditions=Conditions())
        title = " ".join([name, *(f"{value:g}" for value in knobs.values())])
        for shape in SHAPES:
            theirs = [one for (own, _), one in zip(named, outcomes, strict=True) if own == shape]
            print(f"{title:<20}{shape:<12}{''.join(_hour(theirs, hour) for hour in range(HOURS))}", flush=True)
    return 0


def _replicas(
    height: Callable[[Floats], Floats], period_seconds: float, uneven: Unevenness, random: np.random.Generator
) -> Floats:
    seconds = np.arange(HOURS * HOUR_STEPS) * STEP_SECONDS
    # Twice as many days as fit, for some are shorter.
    days = 2 * round(HOURS * 3_600.0 / period_seconds)
    ends = period_seconds * np.cumsum(np.exp(uneven.length * random.standard_normal(days)))
    passed = np.interp(seconds, np.concatenate([[0.0], ends]), np.arange(days + 1))
    heights = np.exp(uneven.height * random.standard_normal(days))
    trembling = np.exp(0.5 * uneven.height * random.standard_normal(len(seconds)))
    day = np.floor(passed).astype(np.int64)
    busy: Floats = (NIGHT_REPLICAS + DAY_REPLICAS * heights[day] * height(passed - day)) * trembling
    return busy


def _hour(outcomes: Sequence[Outcome], hour: int) -> str:
    """What was late, in the mean of the services, and replica-hours of all."""
    steps = slice(hour * HOUR_STEPS, (hour + 1) * HOUR_STEPS)
    lines = [one.timeline for one in outcomes]
    late = np.mean([line.violations[steps].sum() / max(line.arrivals[steps].sum(), 1) for line in lines])
    paid = sum(float((line.ready[steps] + line.starting[steps]).sum()) for line in lines) / HOUR_STEPS
    return f"{late:>16.2%}{paid:>15.1f}"


if __name__ == "__main__":
    sys.exit(main())
