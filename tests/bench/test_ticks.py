"""The benchmark of ticks, without what it runs: its loads, its blocks of the past, and its page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from bench.ticks import measure, page, past
from bench.ticks.loads import DAY_SECONDS, MEAN_REPLICAS, RPS_A_REPLICA, Loads, name, namespace, workload
from foretide.app.families import TickResult
from foretide.app.metrics import SelfMetrics

NOW = 1_763_800_000.0


def run(services: int, **changes: Any) -> dict[str, Any]:
    stages = {"observe": 0.3, "decide": 0.4, "write": 0.2}
    return {
        "services": services,
        "pods": 4 * services,
        "tick_p50_seconds": 0.9,
        "tick_p99_seconds": 1.2,
        "processor_p50_seconds": 0.8,
        "processor_p99_seconds": 1.0,
        "stages": {stage: {"p50": seconds, "p99": 2 * seconds} for stage, seconds in stages.items()},
        "brain_seconds": 0.1,
        "queries_per_tick": 11,
        "answered_bytes_per_tick": 4e6,
        "scaled_per_tick": 1.5,
        "memory_mib": 400.0,
        "cpu_cores": 0.2,
        "first_tick_seconds": 20.0,
        "startup_seconds": 300.0,
        "slowest_at_the_start_seconds": 21.9,
        "given_up_at_the_start": 1,
        "given_up": 0,
        "postponed_per_tick": 0.0,
        "prometheus": {"series": 64_000.0, "memory_mib": 900.0, "cpu_cores": 0.3},
        "load_average": 1.0,
        "unknown": 0,
        "without_metrics": 0,
        **changes,
    }


def test_the_mean_fleet_is_as_large_as_said_and_the_largest_has_room() -> None:
    loads = Loads.of(5_000)
    assert loads.base_rps.mean() == pytest.approx(MEAN_REPLICAS * RPS_A_REPLICA)
    assert loads.replicas(NOW).min() >= 1
    assert loads.replicas(NOW).max() <= 100, "maxReplicas of a service"


def test_a_load_is_the_same_in_each_run_and_on_each_day() -> None:
    loads, again = Loads.of(50), Loads.of(50)
    assert loads.rate_rps([NOW]).tolist() == again.rate_rps([NOW]).tolist()
    assert loads.rate_rps([NOW])[:, 0] == pytest.approx(loads.rate_rps([NOW + DAY_SECONDS])[:, 0], rel=1e-6)
    assert (loads.rate_rps([NOW]) > 0.0).all()


def test_the_past_is_a_fortnight_of_whole_minutes_in_blocks_of_one_file_each() -> None:
    last = int(NOW // 60)
    blocks = list(past._blocks(last - past.DAYS * 1_440 + 1, last))
    minutes = np.concatenate(blocks)
    assert minutes.tolist() == list(range(last - past.DAYS * 1_440 + 1, last + 1))
    assert all(len({int(minute) * 60 // past.BLOCK_SECONDS for minute in block}) == 1 for block in blocks)


def test_the_past_is_written_as_promtool_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "series.om"
    past._write(path, Loads.of(2), np.array([29_000_000, 29_000_001]))
    lines = path.read_text().splitlines()
    assert lines[-1] == "# EOF"
    series = [line for line in lines if not line.startswith("#")]
    assert len(series) == 2 * 3 * 2, "services, quantities, minutes"
    assert all(f'workload="{workload(service)}"' in "".join(series) for service in (0, 1))
    assert series[0].endswith(" 1740000000")
    assert name(1) == "s0001"
    assert all(f'{{namespace="{namespace(0)}",workload=' in line for line in series)


def test_a_team_has_fifty_services() -> None:
    assert [namespace(service) for service in (0, 49, 50, 4_999)] == ["team-000", "team-000", "team-001", "team-099"]


def test_the_page_keeps_what_people_wrote_and_the_runs_of_before(tmp_path: Path) -> None:
    document, results, picture = tmp_path / "limits.md", tmp_path / "ticks.json", tmp_path / "limits.png"
    document.write_text(f"before\n{page.BEGIN}\nold\n{page.END}\nafter\n")
    page.write({1_000: run(1_000)}, results=results, page=document, picture=picture)
    page.write({**page.kept(results), 100: run(100)}, results=results, page=document, picture=picture)
    text = document.read_text()
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "old" not in text
    assert "| 100 services | 1,000 services |" in text
    assert "ticks given up after 30 s | 21.9 s; 1 | 21.9 s; 1 |" in text
    assert [one["services"] for one in json.loads(results.read_text())["runs"]] == [100, 1_000]
    assert picture.stat().st_size > 1_000


def test_the_operator_is_measured_with_the_memory_allocator_as_its_image_tunes_it() -> None:
    assert measure._tuned() == {"OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "1048576"}


def test_ticks_that_were_given_up_are_counted_by_the_operator_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = SelfMetrics()
    for result in (TickResult.TIMEOUT, TickResult.FAULT, TickResult.TIMEOUT):
        metrics.not_ticked(result)
    monkeypatch.setattr(
        "bench.ticks.measure.httpx.get", lambda *_, **__: httpx.Response(200, text=metrics.exposition())
    )
    assert measure._given_up() == 2
    monkeypatch.setattr("bench.ticks.measure.httpx.get", lambda *_, **__: httpx.Response(200, text=""))
    with pytest.raises(ValueError, match="the operator shows no foretide_ticks_total"):
        measure._given_up()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, []),
        ({"tick_p99_seconds": 2.1}, ["1,000 services: a tick takes 2.10 s, not 2"]),
        ({"brain_seconds": 0.5}, ["1,000 services: the brain takes 0.50 s, not 0.4"]),
        ({"queries_per_tick": 13}, ["1,000 services: 13 queries a tick, not 12"]),
        ({"memory_mib": 1_100.0}, ["1,000 services: 1,100 MiB, not 1,024"]),
        ({"given_up": 2}, ["1,000 services: 2 ticks were given up"]),
        ({"without_metrics": 1, "unknown": 7}, ["1,000 services: 7 rows were unknown, 1 ticks blind"]),
    ],
)
def test_what_misses_its_bar_is_said(changes: dict[str, Any], said: list[str]) -> None:
    assert list(page.missed([run(1_000, **changes)])) == said
