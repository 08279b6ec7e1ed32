"""docs/metrics.md names every metric that is exported, as it is exported, and no other."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from foretide.app import families, metrics_page, watching
from foretide.app.families import Kind
from foretide.app.metrics import BUCKETS_SECONDS, SelfMetrics
from tests.app.test_metrics import BANK, SHOP, outcome, read


def test_the_page_is_up_to_date() -> None:
    assert metrics_page.main(["--check"]) == 0


def test_the_page_is_written_and_its_drift_seen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "metrics.md"
    assert metrics_page.main([str(page), "--check"]) == 1
    assert metrics_page.main([str(page)]) == 0
    assert metrics_page.main([str(page), "--check"]) == 0
    page.write_text(page.read_text() + "more\n")
    assert metrics_page.main([str(page), "--check"]) == 1
    assert "out of date" in capsys.readouterr().out


def test_every_metric_is_on_the_page_with_its_type_and_text() -> None:
    found = {
        (metric.name, metric.type, metric.documentation)
        for metric in read(SelfMetrics())
        if metric.name.startswith("foretide_")
    }
    assert found == {
        (family.name.removesuffix("_total"), family.kind.value, family.text) for family in metrics_page.EVERY
    }


def test_labels_are_those_on_the_page_and_series_no_more_than_it_says() -> None:
    metrics = SelfMetrics()
    metrics.ticked(outcome((BANK, 0.0, 1), (SHOP, 31.0, 2), down=True), now_seconds=0)
    labels, count = {}, Counter[str]()
    for metric in read(metrics):
        for sample in metric.samples:
            labels[sample.name] = {*sample.labels} - {"le"}
            count[metric.name] += 1
    for family in metrics_page.EVERY:
        for name in metrics_page.exported(family):
            assert labels.get(name, set(family.labels)) == set(family.labels), name
        most = re.fullmatch(r"(\d*) ?(S?)", family.most)
        assert most is not None, family.name
        assert count[family.name.removesuffix("_total")] <= int(most[1] or 1) * (2 if most[2] else 1), family.name


def test_bounds_are_those_of_the_lists_behind_them() -> None:
    assert len(watching.WATCHED) == int(families.EVENTS.most)
    series = len(BUCKETS_SECONDS) + len(("+Inf", "sum", "count"))
    assert int(families.TICK_SECONDS.most) == int(families.RECONCILE_SECONDS.most) == series


def test_names_keep_prometheus_conventions() -> None:
    for family in metrics_page.EVERY:
        assert re.fullmatch(r"foretide_[a-z]+(_[a-z]+)*", family.name)
        assert (family.kind is Kind.COUNTER) == family.name.endswith("_total")
        assert not re.search(
            r"_(ms|us|milliseconds|minutes|hours|days|percent|count|sum|bucket)(_total)?$", family.name
        )
        assert "quantile" not in family.labels, "that of summaries alone"
        assert family.text.endswith(".")
