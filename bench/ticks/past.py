"""Two weeks of minutes of every service, written into Prometheus' own blocks by promtool.

They are what the operator asks of the past: the three series of the chart's recording rules, one sample a minute and
Deployment. The raw series of all pods behind them (6 billion samples for 5,000 services) are not there.
"""

from __future__ import annotations

import math
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np

from bench.ticks.loads import NOISE, Loads, namespace, workload
from foretide.adapters.promql import record
from foretide.scaling.arrays import Floats, Ints
from foretide.scaling.policy import Quantity

DAYS: Final = 14
MINUTE_SECONDS: Final = 60
# promtool reads its whole input once for each block: a file is of one block. It makes blocks of 2 h times a power of 3.
BLOCK_HOURS: Final = 18
BLOCK_SECONDS: Final = BLOCK_HOURS * 3_600


def backfill(promtool: Path, folder: Path, loads: Loads, *, end_seconds: float) -> None:
    """The blocks of the two weeks up to the whole minute before `end_seconds` (Unix time) are in `folder`.

    A run that was stopped goes on with the block that it was at.
    """
    folder.mkdir(parents=True, exist_ok=True)
    last = math.floor(end_seconds / MINUTE_SECONDS)
    first = last - DAYS * 1_440 + 1
    for minutes in _blocks(first, last):
        done = folder / f"done-{minutes[0]}-{minutes[-1]}"
        if done.exists():
            continue
        unfinished = folder / "unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        text = unfinished / "series.om"
        _write(text, loads, minutes)
        subprocess.run(
            [
                promtool,
                *("tsdb", "create-blocks-from", "openmetrics", "--quiet"),
                f"--max-block-duration={BLOCK_HOURS}h",
                *(text, unfinished / "blocks"),
            ],
            check=True,
        )
        for block in (unfinished / "blocks").iterdir():
            block.rename(folder / block.name)
        shutil.rmtree(unfinished)
        done.touch()


def _blocks(first: int, last: int) -> Iterator[Ints]:
    """The minutes from the first to the last, those of one block at a time."""
    a_block = BLOCK_SECONDS // MINUTE_SECONDS
    for block in range(first // a_block, last // a_block + 1):
        begin, end = max(first, block * a_block), min(last, (block + 1) * a_block - 1)
        yield np.arange(begin, end + 1, dtype=np.int64)


def _write(path: Path, loads: Loads, minutes: Ints) -> None:
    """As OpenMetrics; requests carry one item each, and none fails."""
    times = [f" {minute * MINUTE_SECONDS}\n" for minute in minutes.tolist()]
    random = np.random.default_rng(int(minutes[0]))
    with path.open("w", encoding="ascii", buffering=2**20) as file:
        for quantity in (Quantity.SUCCESS, Quantity.INFERENCE, Quantity.FAILURE):
            file.write(f"# TYPE {record(quantity)} gauge\n")
            for service in range(len(loads)):
                labels = f'namespace="{namespace(service)}",workload="{workload(service)}"'
                series = f"{record(quantity)}{{{labels}}} "
                if quantity is Quantity.FAILURE:
                    file.write("".join([f"{series}0{time}" for time in times]))
                    continue
                rates = _one(loads, service, minutes) * random.lognormal(0.0, NOISE, len(minutes))
                values = rates.round(1).tolist()
                file.write("".join([f"{series}{value}{time}" for value, time in zip(values, times, strict=True)]))
        file.write("# EOF\n")


def _one(loads: Loads, service: int, minutes: Ints) -> Floats:
    """The rates of one service: those of all would be gigabytes."""
    one = slice(service, service + 1)
    alone = Loads(base_rps=loads.base_rps[one], swing=loads.swing[one], phase=loads.phase[one])
    rates: Floats = alone.rate_rps(minutes * float(MINUTE_SECONDS))[0]
    return rates
