"""The operator as it is, with a line of JSON for each tick: `python -m bench.ticks.operator TICKS [PROFILE]`."""

from __future__ import annotations

import cProfile
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, Final
from unittest.mock import patch

from foretide import __main__ as operator
from foretide.control.autoscale import Autoscaler
from foretide.control.backfill import Backfill
from foretide.control.outcome import Outcome

# Of a profile: so many ticks after the past is read.
PROFILED_TICKS: Final = 3


def main(ticks: Path, profile: Path | None) -> int:
    """Runs until SIGTERM."""
    with ticks.open("w", buffering=1, encoding="utf-8") as file:

        def timed(ports: Any, world: Any, brain: Any, backfill: Backfill, orders: Any) -> Timed:
            return Timed(file, backfill, profile, Autoscaler(ports, world, brain, backfill, orders).tick)

        with patch("foretide.app.run.Autoscaler", timed), patch.object(sys, "argv", sys.argv[:1]):
            return operator.main()


class Timed:
    """An Autoscaler whose ticks are timed."""

    def __init__(self, file: IO[str], backfill: Backfill, profile: Path | None, tick: Callable[[], Any]) -> None:
        self._file: Final = file
        self._backfill: Final = backfill
        self._profile: Final = profile
        self._tick: Final = tick
        self._profiled = 0

    async def tick(self) -> Outcome:
        began, processor = time.perf_counter(), time.process_time()
        profiler = cProfile.Profile() if self._is_to_be_profiled() else None
        if profiler is not None:
            profiler.enable()
        outcome: Outcome = await self._tick()
        if profiler is not None:
            profiler.disable()
            profiler.dump_stats(f"{self._profile}-{self._profiled}")
        made = outcome.decisions
        line = {
            "at": time.time(),
            "seconds": time.perf_counter() - began,
            "processor_seconds": time.process_time() - processor,  # of all that the process did meanwhile
            "stages": {stage.value: seconds for stage, seconds in outcome.stage_seconds.items()},
            "services": len(outcome.keys),
            "queries": outcome.queries,
            "failed_writes": outcome.failed_writes,
            "postponed": outcome.postponed,
            "scaled": int((made.desired != made.fleet.replicas).sum()),
            "wanted": int(made.desired.sum()),
            "known": int(made.seen.demand.known.sum()),
            "no_metrics": None if outcome.no_metrics is None else outcome.no_metrics.message,
            "backfilled": self._backfill.progress,
            "known_minutes": self._backfill.known_minutes,
        }
        self._file.write(json.dumps(line) + "\n")
        return outcome

    def _is_to_be_profiled(self) -> bool:
        if self._profile is None or self._backfill.progress < 1.0 or not self._backfill.known_minutes:
            return False
        self._profiled += 1
        return self._profiled <= PROFILED_TICKS


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None))
