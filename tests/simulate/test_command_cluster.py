"""Options for routing, machines and what goes wrong: each has its effect, is in the result and is kept apart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from foretide.simulate.command.main import main

SERVICE = ["--slo", "250ms", "--batch-time", "10ms,40ms,8", "--cold-start", "45s", "--size", "4"]

pytestmark = pytest.mark.usefixtures("known_rate")


@pytest.fixture
def load(tmp_path: Path) -> Path:
    """Fifty minutes, of which the last twenty are judged; four of those are busy."""
    file = tmp_path / "load.csv"
    counts = [180.0 if 34 <= minute < 38 else 40.0 for minute in range(50)]
    file.write_text("t_s,a\n" + "".join(f"{60 * minute},{count:.3f}\n" for minute, count in enumerate(counts)))
    return file


def run(load: Path, *more: str, policy: str = "hpa") -> dict[str, Any]:
    """The only run of a result, in a file that is named after what is special."""
    out = load.parent / f"{'_'.join([policy, *more]).replace('/', '')}.json"
    common = ["run", "--trace", str(load), *SERVICE, "--seeds", "1", "--workers", "1"]
    assert main([*common, "--policy", policy, "--out", str(out), *more]) == 0
    (found,) = json.loads(out.read_text())["runs"]
    return dict(found)


def compared(folder: Path, capsys: Any) -> list[str]:
    """The lines of the table of all results."""
    capsys.readouterr()
    assert main(["compare", *map(str, sorted(folder.glob("*.json")))]) == 0
    lines: list[str] = capsys.readouterr().out.splitlines()
    return lines


def test_by_default_there_is_room_and_nothing_goes_wrong(load: Path) -> None:
    found = run(load)
    assert found["routing"] == "random"
    assert found["nodes"]["warm_pods"] is None
    assert found["disturbances"] == {"outages": [], "crashes_per_hour": 0.0, "lost_scrapes": 0.0}


def test_routing_decides_who_gets_a_request_and_not_how_many_there_are(load: Path, capsys: Any) -> None:
    load.write_text("t_s,a\n" + "".join(f"{60 * minute},100\n" for minute in range(50)))
    words = ["random", "round-robin", "least-outstanding"]
    found = {word: run(load, "--routing", word) for word in words}
    assert {name: one["routing"] for name, one in found.items()} == {name: name for name in found}
    assert len({one["requests"] for one in found.values()}) == 1
    assert len({one["optimum_replica_hours"] for one in found.values()}) == 1
    assert found["least-outstanding"]["violations"] < found["random"]["violations"]
    head, *rows = compared(load.parent, capsys)
    assert "routing" in head
    assert {word for row in rows for word in row.split()} >= set(words)
    assert len(rows) == 3


def test_a_replica_without_room_waits_for_its_machine(load: Path, capsys: Any) -> None:
    usual = run(load)
    few = run(load, "--provisioning", "5m,lognormal:0.2", "--warm", "1")
    others = run(load, "--provisioning", "5m", "--warm", "1")
    assert few["nodes"]["warm_pods"] == 1
    assert np.mean(few["nodes"]["provisioning_quantiles_seconds"]) == pytest.approx(300.0, rel=0.01)
    assert sum(few["timeline"]["starting"]) > sum(usual["timeline"]["starting"])
    assert few["violations"] > usual["violations"]
    assert few != others
    head, *rows = compared(load.parent, capsys)
    assert "warm" in head
    assert "provisioning 5-50-95 %" in head
    assert len(rows) == 3, "one of them differs in the shape alone"


def test_an_outage_begins_so_long_after_the_judged_part(load: Path, capsys: Any) -> None:
    """Who is busy and has no metrics keeps what it has."""
    away = run(load, "--outage", "0s,10m", "--outage", "12m,1m")
    assert away["disturbances"]["outages"] == [
        {"start_seconds": 0.0, "end_seconds": 600.0},
        {"start_seconds": 720.0, "end_seconds": 780.0},
    ]
    desired = away["timeline"]["desired"]
    assert len(set(desired[1:40])) == 1
    assert len(set(run(load)["timeline"]["desired"][1:40])) > 1
    head, *rows = compared(load.parent, capsys)
    assert "outages" in head
    assert [row for row in rows if " 0s,10m 12m,1m " in row]
    assert [row for row in rows if " none " in row]


def test_crashes_lose_requests_and_lost_scrapes_none(load: Path, capsys: Any) -> None:
    usual = run(load, policy="static")
    crashed = run(load, "--crashes-per-hour", "30", policy="static")
    lost = run(load, "--lost-scrapes", "30", policy="static")
    assert crashed["disturbances"]["crashes_per_hour"] == 30.0
    assert crashed["failures"] > usual["failures"] == 0
    assert lost["disturbances"]["lost_scrapes"] == 0.3
    assert lost["timeline"] == usual["timeline"], "who asks nothing misses nothing"
    head, *rows = compared(load.parent, capsys)
    assert "crashes/h" in head
    assert "lost scrapes" in head
    assert len(rows) == 3


def test_the_same_seed_gives_the_same_result_whatever_goes_wrong(load: Path) -> None:
    more = ["--outage", "5m,2m", "--crashes-per-hour", "5", "--lost-scrapes", "10", "--routing", "round-robin"]
    more += ["--provisioning", "90s,lognormal:0.3", "--warm", "2"]
    assert run(load, *more) == run(load, *more)


def test_the_fluid_runs_with_all_of_it_but_routing(load: Path) -> None:
    more = ["--fidelity", "fluid", "--outage", "5m,2m", "--crashes-per-hour", "30", "--provisioning", "90s"]
    assert run(load, *more, "--warm", "2")["failures"] > 0


def test_cold_starts_of_one_mean_are_told_apart_by_their_shape(load: Path, capsys: Any) -> None:
    for text in ("45s", "45s,lognormal:0.2"):
        assert run(load, "--cold-start", text, policy="static")["cold_start_seconds"] == 45.0
    head, *rows = compared(load.parent, capsys)
    assert "cold start 5-50-95 %" in head
    assert [row for row in rows if " 45-45-45 s " in row]
    assert len(rows) == 2


def test_help_teaches_them(capsys: Any) -> None:
    with pytest.raises(SystemExit):
        main(["run", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "--routing {random,round-robin,least-outstanding}" in text
    assert "so long after the judged part began: 30m,5m; may be repeated" in text
    assert "before its cold start: 90s, or with a shape as --cold-start has; needs --warm" in text
