"""docs/capacity-table.md: what the table is, and how good it was found to be."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from bench.capacity_table.accuracy import HIGHEST_ERROR, LOWEST_ERROR, Row
from bench.capacity_table.make import PARTS_PER_OCTAVE, REQUESTS, SEED, TABLE
from bench.places import REPOSITORY
from foretide.scaling.arrays import Floats
from foretide.scaling.capacity.rate import MOST_UTILISED
from foretide.scaling.capacity.table import table

PAGE: Final = REPOSITORY / "docs" / "capacity-table.md"
QUANTILES: Final = (0.0, 0.02, 0.05, 0.5, 0.95, 0.98, 1.0)


def summary(rows: Sequence[Row]) -> Iterator[str]:
    """Markdown: a line for each way to a rate, and for each number of instances."""
    yield (
        f"| rates | points | {' | '.join(f'{level:.0%}' for level in QUANTILES)} "
        f"| within {LOWEST_ERROR:+.0%} .. {HIGHEST_ERROR:+.0%} |"
    )
    yield "|---" * (len(QUANTILES) + 3) + "|"
    below = [row for row in rows if row.simulated < MOST_UTILISED]
    yield _line("table", rows, [row.error for row in rows])
    yield _line("Kingman's formula, which it replaced", rows, [row.kingman_error for row in rows])
    yield _line(f"table, below {MOST_UTILISED:.0%} of saturation", below, [row.error for row in below])
    yield _line("Kingman's formula, there", below, [row.kingman_error for row in below])
    for instances in sorted({row.point.instances for row in rows}):
        chosen = [row for row in rows if row.point.instances == instances]
        yield _line(f"table, {instances} instance{'s' * (instances > 1)}", chosen, [row.error for row in chosen])


def _line(name: str, rows: Sequence[Row], errors: Sequence[float]) -> str:
    if not rows:
        return f"| {name} | 0 |" + " |" * (len(QUANTILES) + 1)
    found = np.array(errors)
    good = np.mean((found >= LOWEST_ERROR) & (found <= HIGHEST_ERROR))
    cells = " | ".join(f"{100.0 * error:+.1f}" for error in np.quantile(found, QUANTILES))
    return f"| {name} | {len(rows)} | {cells} | {good:.1%} |"


def write_page(rows: Sequence[Row], page: Path) -> None:
    """The data card of the table that is shipped, with these rows."""
    known, content = table(), TABLE.read_bytes()
    worst = sorted(rows, key=lambda row: -abs(row.error))[:3]
    text = f"""# The capacity table

`{TABLE.relative_to(REPOSITORY)}` has the latencies of one replica at every load.
From it follows how many items a second a replica may be given within the SLO. Made by
`python -m bench.capacity_table` (4 minutes on one core); `--check` makes random points anew, `--accuracy` writes this
page.

- SHA-256: `{hashlib.sha256(content).hexdigest()}`
- {len(content):,} bytes; numpy's `.npz`, read once by `scaling/capacity/table.py`

## What is in it
A batch of b items takes a·b + t0. In units of the time of a single item, a + t0, a replica is known by four numbers:

| axis | values |
|---|---|
| steepness: half the share a / (a + t0), half log(time of a full batch) / log(its items) | {_values(known.steepness)} |
| largest batch, items | {_values(known.largest_batch)} |
| servers that share a queue: instances of a pod | {_values(known.servers)} |
| arrival_cv2: squared coefficient of variation of the times between arrivals | {_values(known.arrival_cv2)} |
| load, as a share of saturation (all batches full) | {_values(known.load)} |
| level | {_values(known.level)} |

- `latency` has all six axes: that share of the requests has at most this latency. `mean` has the first five.
- Values are base-2 logarithms of latencies in units of a + t0, in steps of 1/{PARTS_PER_OCTAVE} (0.14 %). The file
  keeps the rise from each load to the next (of the first: the value), 16 bits each. A batch of 1 is kept once.

## How it is made
Each point is simulated request by request at each load: {REQUESTS:,} requests with seed {SEED}, the first 5 % not
counted. Whichever server is free takes what waits, at most a full batch, first come first served; no noise, no queue
limit, no pause between batches (the operator adds 2 ms to t0 for that). Intervals between arrivals are exponential, or
hyperexponential with balanced means above an arrival_cv2 of 1. All points see the same arrivals, so that the table is
smooth; p99 of another seed differs by about 0.5 %. A test compares the loop with the simulator.

## How it is used
`scaling/capacity/lattice.py` turns it into rates at SLOs, once per process (0.3 s, 8 MB), and a tick interpolates
these. Between neighbouring nodes the rate never rises with a, with t0 or with the objective, and never falls with the
SLO, so that it does so nowhere. Outside of the axes the nearest end counts: of more than 8 instances each gets what one
of 8 gets, batches above 128 are taken for 128, an arrival_cv2 above 8 for 8 and an objective above 99.99 % for that (of
these two too much is promised). An SLO below two single items is held at the load that keeps two of the steepest law.

## How good it is
Error of the rate, in percent; quantiles over random points off the grid: share a / (a + t0) 0 to 1, largest batch 1
to 64, SLO 2.5 to 50 single items, objective 90 to 99.9 %, arrival_cv2 1 to 4, 1 to 4 instances. The truth is
`foretide.simulate.capacity.rate_at_slo`, which is right within 1 %. All rates are cut off at {MOST_UTILISED:.0%} of
saturation, as the operator does.

{chr(10).join(summary(rows))}

Above 0 too much is promised. It is furthest off where several instances work on a short SLO: there the rate stands
still while the SLO grows, and rises steeply once there is time for one more item.

| a / (a + t0) | batch | instances | arrival_cv2 | SLO / (a + t0) | objective | load | error |
|---|---|---|---|---|---|---|---|
{chr(10).join(_furthest(row) for row in worst)}
"""
    partial = page.with_suffix(".partial")
    partial.write_text(text)
    partial.replace(page)


def _values(axis: Floats) -> str:
    return ", ".join(f"{value:.4g}" for value in axis)


def _furthest(row: Row) -> str:
    point = row.point
    return (
        f"| {point.per_item_share:.2f} | {point.max_batch} | {point.instances} | {point.arrival_cv2:.1f} | "
        f"{point.slo_singles:.2f} | {point.objective:.2%} | {row.simulated:.2f} | {row.error:+.1%} |"
    )
