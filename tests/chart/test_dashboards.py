"""The dashboards show what is exported, and are what their code says. e2e/test_dashboards.py asks a Prometheus."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from foretide.app import metrics_page
from manifests.dashboards import __main__ as dashboards
from manifests.dashboards.grafana import COLUMNS, Dashboard, Kind, Panel
from tests.app.test_metrics import read
from tests.chart import charts, expressions, series

PANELS = [(board, panel) for board in dashboards.EVERY for panel in board.panels]


def _name(value: object) -> str | None:
    return value.uid if isinstance(value, Dashboard) else value.title if isinstance(value, Panel) else None


def test_the_files_are_what_the_code_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dashboards.main(["--check"]) == 0
    assert dashboards.main([str(tmp_path), "--check"]) == 1
    assert dashboards.main([str(tmp_path)]) == 0
    assert dashboards.main([str(tmp_path), "--check"]) == 0
    assert "out of date" in capsys.readouterr().out
    assert {path.name for path in dashboards.FOLDER.iterdir()} == set(dashboards.rendered())


@pytest.mark.parametrize(("board", "panel"), PANELS, ids=_name)
def test_a_panel_says_what_it_means_and_asks_for_what_is_exported(board: Dashboard, panel: Panel) -> None:
    known = expressions.of_operator() | expressions.of_triton()
    known |= {"process_cpu_seconds_total", "process_resident_memory_bytes"}
    assert panel.text.endswith(".")
    assert panel.queries
    for query in panel.queries:
        asked = expressions.metrics(query.expr)
        assert asked
        assert asked - known == set()
    assert len({query.legend for query in panel.queries}) == len(panel.queries)
    assert (panel.kind is Kind.TABLE) == bool(panel.shown)


@pytest.mark.parametrize("board", dashboards.EVERY, ids=_name)
def test_only_variables_that_are_there_are_used(board: Dashboard) -> None:
    names = {variable.name for variable in board.variables}
    texts = [query.expr for panel in board.panels for query in panel.queries]
    texts += [variable.query for variable in board.variables]
    used = {name for text in texts for name in re.findall(r"\$\{?(\w+)", text)}
    assert used - {"__rate_interval"} == names


def test_every_metric_of_the_operator_is_on_a_dashboard_or_there_is_a_reason() -> None:
    unseen = {
        "foretide_backfill_known_seconds",  # of use while the past is read, which takes minutes
    }
    shown = {name for _, panel in PANELS for query in panel.queries for name in expressions.metrics(query.expr)}
    missing = {family.name for family in metrics_page.EVERY if not shown.intersection(metrics_page.exported(family))}
    assert missing == unseen


@pytest.mark.parametrize("board", dashboards.EVERY, ids=_name)
def test_panels_fill_the_grid_and_do_not_cover_each_other(board: Dashboard) -> None:
    def cells(panel: dict[str, Any]) -> set[tuple[int, int]]:
        place = panel["gridPos"]
        return {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }

    panels = json.loads(dashboards.rendered()[f"{board.uid}.json"])["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for one, other in combinations(panels, 2):
        assert not cells(one) & cells(other), (one["title"], other["title"])
    assert all(x < COLUMNS for panel in panels for x, _ in cells(panel))


def test_files_hold_nothing_that_helm_would_take_for_a_template_of_its_own() -> None:
    """Legends are {{label}}: the chart reads the files as they are, with Files.Get and never tpl."""
    template = (charts.CHART / "templates" / "dashboards.yaml").read_text(encoding="utf-8")
    assert "tpl " not in template
    assert "$.Files.Get $path" in template


def _names(metrics: Any) -> Iterator[str]:
    for family in read(metrics):
        for sample in family.samples:
            yield sample.name


def test_the_operator_that_dashboards_are_tried_with_exports_every_family() -> None:
    exported = set(_names(series.operator()))
    for family in metrics_page.EVERY:
        assert set(metrics_page.exported(family)) <= exported, family.name
