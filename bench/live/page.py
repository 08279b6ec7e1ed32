"""docs/benchmarks/live.md: a table and a chart for each load, and the verdicts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from bench.live import slower
from bench.live.loads import WARM_UP_SECONDS, loads
from bench.live.pictures import draw
from bench.live.predict import SIMULATIONS
from bench.live.slower import Slower
from bench.live.systems import FORETIDE
from bench.live.together import RPS_PER_LANE
from bench.live.verdict import Row, Verdict, verdicts

FOLDER: Final = "live"
RUNS: Final = "runs"  # in that folder
# Of the simulator, as it is asked to foresee a run.
SHARE_BOUND_POINTS: Final = 1.5
COST_BOUND: Final = 0.10


def lines(rows: Sequence[Row]) -> Iterator[str]:
    """The whole table and the verdicts as Markdown."""
    yield "| load | cold start | system | queue | in time | failed | replica-min | x clairvoyant | changes | foreseen |"
    yield f"|{'---|' * 10}"
    for row in rows:
        yield f"| {row['trace']} | {row['cold_start_seconds']:.0f} s | {_row(row)} |"
    yield ""
    yield from _verdicts(verdicts(rows))
    yield from _anchors(rows)
    yield from _foresight(rows)


def write(rows: Sequence[Row], days: Iterable[Slower], folder: Path) -> None:
    """The page and its charts."""
    at_once = max(row["at_once"] for row in rows)
    pictures = folder / FOLDER
    pictures.mkdir(parents=True, exist_ok=True)
    text = [
        "# Live: Foretide beside HPA and KEDA",
        "",
        "Real controllers on the embedded cluster, over pods of a real Triton whose model sleeps by a known law, each "
        "system under the same requests, with a new connection each. Made by `make bench-live`.",
        "",
        f"Up to {at_once} services run at once on one machine, of the same and of other loads, with at most "
        f"{at_once * RPS_PER_LANE:.0f} requests/s together: as many as it bears without being late.",
        "",
        *(_runs() if (pictures / RUNS).is_dir() else ()),
        f"Not judged are the first {WARM_UP_SECONDS:.0f} s, in which each learns or settles. HPA reads a Pods metric "
        "from prometheus-adapter, KEDA has its Prometheus trigger; a target is a share of what a replica can do with "
        "full batches. A replica runs two instances, as `instances: Auto` has it on a GPU; a class that says nothing "
        "has one, for which Foretide knows no limit of the queue, and `flash-single` shows what that costs. Queue "
        "`default` is Triton's own, as its documents show it; with `half` Triton refuses what has waited for half of "
        "the SLO, which is what Foretide renders for two instances; with `slo` what cannot be in time any more, by "
        "somebody who knows how long a full batch takes, and the peer's query counts what was refused. "
        "*Foreseen* is what the simulator says of the same requests and of pods that start as they did: share in time, "
        f"replica-minutes. It is the median of {SIMULATIONS} simulations, with the phases of the load in a tick and "
        "the draws of kube-proxy that chance may bring; nine of ten of them are within the range in brackets.",
        "",
        *_verdicts(verdicts(rows)),
        *_anchors(rows),
        *_foresight(rows),
    ]
    for load in loads(quick=False):
        mine = [
            row for row in rows if (row["trace"], row["cold_start_seconds"]) == (load.name, load.cold_start_seconds)
        ]
        if mine:
            draw(load, mine, pictures / f"{load.key}.png")
            text += [
                f"## {load.title}",
                "",
                f"{load.about[0].upper()}{load.about[1:]}.",
                "",
                f"![Load, share in time and replicas]({FOLDER}/{load.key}.png)",
                "",
                "| system | queue | in time | failed | replica-min | x clairvoyant | changes | foreseen |",
                f"|{'---|' * 8}",
                *(f"| {_row(row)} |" for row in mine),
                "",
            ]
    text += [
        "## The day told slower",
        "",
        "Foretide looks every 15 s, and learns within an hour or two how much of the error budget its forecasts leave; "
        "a replica takes as long to start as ever. So a day in ten minutes is dearer than a day. Simulated "
        "(`make bench-live BENCH_ARGS=--days`):",
        "",
        *slower.lines(days),
        "",
    ]
    (folder / "live.md").write_text("\n".join(text), encoding="utf-8")


def _runs() -> Iterator[str]:
    yield (
        f"What each run measured is in `docs/benchmarks/{FOLDER}/{RUNS}`, of which `make bench-live "
        f"BENCH_ARGS='--runs docs/benchmarks/{FOLDER}/{RUNS}'` makes this page again; it runs what is not there."
    )
    yield ""


def _row(row: Row) -> str:
    cells = [
        _name(row),
        row["queue"],
        f"{row['within_slo']:.2%}",
        f"{row['failed']:,} of {row['requests']:,}",
        f"{row['replica_minutes']:.1f}",
        f"{row['times_clairvoyant']:.2f}",
        str(row["scale_events"]),
        _foreseen(row),
    ]
    return " | ".join(cells)


def _foreseen(row: Row) -> str:
    (least, most), (fewest, longest) = row["predicted_within_slo_range"], row["predicted_replica_minutes_range"]
    share = f"{row['predicted_within_slo']:.2%} ({100 * least:.1f} to {100 * most:.1f})"
    return f"{share}, {row['predicted_replica_minutes']:.1f} ({fewest:.1f} to {longest:.1f})"


def _name(row: Row) -> str:
    return row["system"] if row["target"] is None else f"{row['system']} at {row['target']:.0%}"


def _verdicts(found: Sequence[Verdict]) -> Iterator[str]:
    yield "| load | cold start | replica-minutes at equal share / peers' | late at equal replica-minutes / peers' |"
    yield "|---|---|---|---|"
    for one in found:
        minutes = "no peer is as good" if one.minutes_at_equal_share is None else f"{one.minutes_at_equal_share:.2f}"
        late = (
            "no peer is as cheap"
            if one.violations_at_equal_minutes is None
            else f"{one.violations_at_equal_minutes:.2f}"
        )
        yield f"| {one.trace} | {one.cold_start_seconds:.0f} s | {minutes} | {late} |"
    yield ""


def _anchors(rows: Sequence[Row]) -> Iterator[str]:
    """What is asked of Foretide by itself: the last repetition of a day, and a crowd."""
    for row in rows:
        about = f"{row['trace']}, cold start {row['cold_start_seconds']:.0f} s, {_name(row)} ({row['queue']} queue)"
        if row["last_part"] is not None:
            last = row["last_part"]
            cost = f"{last['times_clairvoyant']:.2f} x clairvoyant"
            yield f"- {about}, last repetition: {last['within_slo']:.2%} at {cost}."
        if row["recovered_seconds"] is not None:
            yield f"- {about}: {row['recovered_seconds']:.0f} s after the step until 99 % are in time again."
    own = [row for row in rows if row["system"] == FORETIDE.scaler]
    lost, changes = (sum(row[column] for row in own) for column in ("lost", "scale_events"))
    yield f"- Foretide, {len(own)} runs, {changes} changes of replicas: {lost} requests not connected or broken off."
    yield ""


def _off(rows: Sequence[Row], what: str) -> np.ndarray:
    """What was foreseen less what came: [rows, median and range]."""
    foreseen = [[row[f"predicted_{what}"], *row[f"predicted_{what}_range"]] for row in rows]
    return np.asarray(np.array(foreseen) - np.array([row[what] for row in rows])[:, None])


def _foresight(rows: Sequence[Row]) -> Iterator[str]:
    """How far what was foreseen is off."""
    share = 100 * _off(rows, "within_slo")
    cost = 100 * _off(rows, "replica_minutes") / np.array([row["replica_minutes"] for row in rows])[:, None]
    for what, offs, bound, unit in (
        ("share in time", share, SHARE_BOUND_POINTS, " points"),
        ("replica-minutes", cost, 100 * COST_BOUND, " %"),
    ):
        off, least, most = offs.T
        near = int((np.abs(off) <= bound).sum())
        in_range = int(((least <= bound) & (most >= -bound)).sum())
        farthest = int(np.abs(off).argmax())
        worst = rows[farthest]
        yield (
            f"- Foreseen by the simulator: {what} within {bound:g}{unit} in {near} of {len(rows)} runs, within that of "
            f"the range in {in_range}; the worst, {worst['trace']} with a cold start of "
            f"{worst['cold_start_seconds']:.0f} s, {_name(worst)} ({worst['queue']} queue), by "
            f"{off[farthest]:+.1f}{unit}."
        )
    yield ""
