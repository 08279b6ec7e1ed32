"""The operator's own metrics: a service's series live as long as the service, and unknown is no number."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from foretide.adapters.errors import Conflict, Rejected, Unavailable
from foretide.api import parse
from foretide.api.hardwareclass import HardwareClass
from foretide.api.reasons import Reason
from foretide.app import families, service_series
from foretide.app.families import TickResult
from foretide.app.metrics import SelfMetrics
from foretide.control.challenge_status import Verdict
from foretide.control.direct import Scrapes
from foretide.control.observe import NoMetrics
from foretide.control.outcome import Outcome, Stage
from foretide.control.world import Key
from foretide.scaling.forecast import sight
from foretide.scaling.forecast.model import shipped
from foretide.scaling.readings import Readings
from foretide.scaling.shadow import Tally
from tests.control import objects
from tests.scaling.build import foreseen, join, judge


def hardware(name: str, **changes: Any) -> HardwareClass:
    parsed = parse.hardware_class(objects.hardware_class(name, **changes))
    assert isinstance(parsed, HardwareClass)
    return parsed


CPU, FREE = hardware("cpu-16", cost={"perHour": "0.25"}), hardware("free")
GPU = hardware("gpu-t4", cost={"perHour": "2"})
SHOP, BANK = Key("shop", "ranker"), Key("bank", "ranker")
PER_SERVICE = (
    "replicas",
    "desired_replicas",
    "capacity_items_per_second",
    "demand_items_per_second",
    "lead_time_seconds",
)


def outcome(*services: tuple[Key, float | None, int], down: bool = False, failed: int = 0) -> Outcome:
    made = [judge(demand, replicas=replicas) for _, demand, replicas in services]
    columns = {
        name: join([getattr(one, name) for one in made])
        for name in ("desired", "bound", "bounds", "fleet", "seen", "capacity", "plan", "memory")
    }
    decisions = replace(made[0], **columns)
    no_metrics = NoMetrics(Reason.PROMETHEUS_TIMEOUT, "no answer in 4 s") if down else None
    keys = tuple(key for key, _, _ in services)
    scrapes = Scrapes(asked=8, failed={"Timeout": 2, "Refused": 1}) if down else Scrapes()
    return Outcome(
        keys=keys,
        hardware=tuple(((CPU, replicas),) for _, _, replicas in services),
        decisions=decisions,
        no_metrics=no_metrics,
        queries=6,
        scrapes=scrapes,
        failed_writes=failed,
        postponed=2 * failed,
        stage_seconds={Stage.OBSERVE: 0.2, Stage.DECIDE: 0.02, Stage.WRITE: 3.0},
    )


def labelled(metrics: SelfMetrics, name: str, label: str) -> dict[str, float]:
    """The value by one label."""
    return {
        sample.labels[label]: sample.value
        for family in read(metrics)
        for sample in family.samples
        if sample.name == f"foretide_{name}"
    }


def read(metrics: SelfMetrics) -> list[Metric]:
    """The families as a scraper reads them."""
    return list(text_string_to_metric_families(metrics.exposition()))


def series(metrics: SelfMetrics, name: str) -> dict[tuple[str, ...], float]:
    """The value by namespace and service."""
    return {
        (sample.labels.get("namespace", ""), sample.labels.get("service", "")): sample.value
        for family in read(metrics)
        for sample in family.samples
        if sample.name == f"foretide_{name}"
    }


def test_a_tick_is_shown_by_service() -> None:
    metrics = SelfMetrics()
    metrics.ticked(outcome((BANK, 0.0, 1), (SHOP, 31.0, 2), failed=1), now_seconds=1_763_800_000)
    assert series(metrics, "replicas") == {BANK: 1, SHOP: 2}
    assert series(metrics, "desired_replicas") == {BANK: 1, SHOP: 4}
    assert series(metrics, "demand_items_per_second") == {BANK: 0, SHOP: 31}
    assert series(metrics, "capacity_items_per_second") == {BANK: 10, SHOP: 10}
    assert series(metrics, "ready_replicas") == {BANK: 4, SHOP: 4}
    assert series(metrics, "min_replicas") == {BANK: 1, SHOP: 1}
    assert series(metrics, "max_replicas") == {BANK: 10, SHOP: 10}
    assert series(metrics, "slo_objective_ratio") == {BANK: pytest.approx(0.99), SHOP: pytest.approx(0.99)}
    assert series(metrics, "slo_latency_seconds") == {BANK: 0.1, SHOP: 0.1}
    assert series(metrics, "cost_per_hour") == {BANK: 0.25, SHOP: 0.5}
    plain = {("", ""): 1.0}
    assert series(metrics, "metrics_available") == plain
    assert series(metrics, "scale_write_errors_total") == plain
    assert series(metrics, "postponed_writes_total") == {("", ""): 2.0}
    assert series(metrics, "services") == {("", ""): 2}
    assert series(metrics, "prometheus_queries_total") == {("", ""): 6}
    assert series(metrics, "last_tick_timestamp_seconds") == {("", ""): 1_763_800_000}


def test_unknown_demand_has_no_series() -> None:
    metrics = SelfMetrics()
    metrics.ticked(outcome((SHOP, 31.0, 2)), now_seconds=0)
    metrics.ticked(outcome((SHOP, None, 2), down=True), now_seconds=15)
    assert series(metrics, "demand_items_per_second") == {}
    assert series(metrics, "replicas") == {SHOP: 2}
    assert series(metrics, "metrics_available") == {("", ""): 0}
    metrics.ticked(outcome((SHOP, 7.0, 2)), now_seconds=30)
    assert series(metrics, "demand_items_per_second") == {SHOP: 7}


def test_pods_that_are_read_directly_are_counted_and_failures_by_their_reason() -> None:
    metrics = SelfMetrics()
    metrics.ticked(outcome((SHOP, 31.0, 2)), now_seconds=0)
    assert series(metrics, "pod_scrapes_total") == {("", ""): 0}
    for tick in (1, 2):
        metrics.ticked(outcome((SHOP, 31.0, 2), down=True), now_seconds=15 * tick)
    assert series(metrics, "pod_scrapes_total") == {("", ""): 16}
    assert labelled(metrics, "pod_scrape_errors_total", "reason") == {"Timeout": 4, "Refused": 2}


def test_the_series_of_a_deleted_service_go_and_those_of_its_namesake_stay() -> None:
    metrics = SelfMetrics()
    metrics.ticked(outcome((BANK, 1.0, 1), (SHOP, 31.0, 2)), now_seconds=0)
    metrics.ticked(outcome((BANK, 1.0, 1)), now_seconds=15)
    for name in PER_SERVICE:
        assert series(metrics, name).keys() == {BANK}


@pytest.mark.parametrize(
    ("error", "result"),
    [
        (Conflict("changed", reason="Conflict"), "conflict"),
        (Rejected("no", reason="Invalid"), "rejected"),
        (Unavailable("away", reason="Timeout"), "unavailable"),
        (RuntimeError("ours"), "fault"),
    ],
)
def test_a_reconciliation_is_timed_and_counted_by_how_it_ended(error: Exception, result: str) -> None:
    metrics = SelfMetrics()
    with metrics.reconciling():
        pass
    with pytest.raises(type(error)), metrics.reconciling():
        raise error
    assert series(metrics, "reconcile_duration_seconds_count") == {("", ""): 2}
    ended = dict.fromkeys(families.Result, 0.0) | {"success": 1.0, result: 1.0}
    assert labelled(metrics, "reconciles_total", "result") == ended


def test_a_reconciliation_that_is_cancelled_did_not_end() -> None:
    metrics = SelfMetrics()
    with pytest.raises(asyncio.CancelledError), metrics.reconciling():
        raise asyncio.CancelledError
    assert sum(labelled(metrics, "reconciles_total", "result").values()) == 0


def test_ticks_are_counted_by_how_they_ended_and_their_parts_are_timed() -> None:
    metrics = SelfMetrics()
    metrics.ticked(outcome((SHOP, 31.0, 2)), now_seconds=0)
    metrics.not_ticked(TickResult.TIMEOUT)
    assert labelled(metrics, "ticks_total", "result") == {"done": 1, "timeout": 1, "fault": 0}
    took = labelled(metrics, "tick_stage_duration_seconds_sum", "stage")
    assert took == {"observe": 0.2, "decide": 0.02, "write": 3.0}


def test_decisions_are_counted_by_their_reason() -> None:
    metrics = SelfMetrics()
    for tick in range(2):
        metrics.ticked(outcome((BANK, 0.0, 1), (SHOP, 31.0, 2)), now_seconds=15 * tick)
    metrics.ticked(outcome((BANK, None, 1), (SHOP, 31.0, 4)), now_seconds=30)
    counted = labelled(metrics, "decisions_total", "reason")
    assert counted == {"AtMinReplicas": 2, "ScaledUp": 2, "MetricsUnavailable": 1, "Steady": 1}


def test_a_prometheus_that_is_away_is_counted_by_its_reason() -> None:
    metrics = SelfMetrics()
    for tick in range(2):
        metrics.ticked(outcome((SHOP, 31.0, 2), down=True), now_seconds=15 * tick)
    assert labelled(metrics, "prometheus_errors_total", "reason") == {"PrometheusTimeout": 2}


def test_items_of_the_slo_are_counted_from_0_and_go_with_their_service() -> None:
    metrics, told = SelfMetrics(), outcome((BANK, 0.0, 1), (SHOP, 31.0, 2))
    metrics.ticked(told, now_seconds=0)
    assert series(metrics, "slo_items_total") == {BANK: 0, SHOP: 0}
    memory = told.decisions.memory
    spending = replace(memory.spending, newest=np.array([[0.0, 0.0], [465.0, 15.0]]))
    spent = replace(told, decisions=replace(told.decisions, memory=replace(memory, spending=spending)))
    for tick in (1, 2):
        metrics.ticked(spent, now_seconds=15 * tick)
    assert series(metrics, "slo_items_total") == {BANK: 0, SHOP: 930}
    assert series(metrics, "slo_late_items_total") == {BANK: 0, SHOP: 30}
    metrics.ticked(outcome((BANK, 0.0, 1)), now_seconds=45)
    assert series(metrics, "slo_items_total") == {BANK: 0}
    metrics.ticked(told, now_seconds=60)
    assert series(metrics, "slo_items_total") == {BANK: 0, SHOP: 0}, "its namesake begins anew"


def test_how_well_a_forecast_does_is_told_after_an_hour_of_outcomes() -> None:
    metrics, told = SelfMetrics(), outcome((SHOP, 31.0, 2))
    metrics.ticked(told, now_seconds=0)
    assert series(metrics, "forecast_coverage_ratio") == series(metrics, "forecast_pinball_loss") == {}
    memory = told.decisions.memory
    old = memory.sight.calibration
    missed, loss, outcomes = old.missed.copy(), old.loss.copy(), np.full_like(old.outcomes, 60.0)
    missed[0, sight.USED_AHEAD, sight.MISSED_LEVEL] = 0.125
    loss[0, sight.USED_AHEAD] = 0.03
    calibration = replace(old, missed=missed, loss=loss, outcomes=outcomes)
    memory = replace(memory, sight=replace(memory.sight, calibration=calibration))
    metrics.ticked(replace(told, decisions=replace(told.decisions, memory=memory)), now_seconds=15)
    assert labelled(metrics, "forecast_coverage_ratio", "level") == {"0.9": 0.875}
    assert series(metrics, "forecast_pinball_loss") == {SHOP: 0.03}


def test_the_quantile_whose_coverage_is_told_is_that_of_the_model() -> None:
    assert float(service_series.COVERED) == shipped().levels[sight.MISSED_LEVEL]


def test_a_service_whose_class_has_no_price_has_no_cost() -> None:
    metrics, told = SelfMetrics(), outcome((BANK, 0.0, 1), (SHOP, 31.0, 2))
    metrics.ticked(replace(told, hardware=(((CPU, 1),), ((FREE, 2),))), now_seconds=0)
    assert series(metrics, "cost_per_hour") == {BANK: 0.25}
    assert labelled(metrics, "cost_per_hour", "hardware_class") == {"cpu-16": 0.25}
    assert labelled(metrics, "cost_per_hour", "currency") == {"USD": 0.25}
    metrics.ticked(replace(told, hardware=(((FREE, 1),), ((CPU, 2),))), now_seconds=15)
    assert series(metrics, "cost_per_hour") == {SHOP: 0.5}, "it moved to another class"


def test_each_class_of_a_service_has_the_price_of_its_own_replicas() -> None:
    metrics, told = SelfMetrics(), outcome((SHOP, 31.0, 5))
    metrics.ticked(replace(told, hardware=(((FREE, 1), (CPU, 3), (GPU, 1)),)), now_seconds=0)
    assert labelled(metrics, "cost_per_hour", "hardware_class") == {"cpu-16": 0.75, "gpu-t4": 2.0}


def test_two_registries_share_nothing() -> None:
    one, other = SelfMetrics(), SelfMetrics()
    one.leader.set(1)
    assert series(other, "leader") == {("", ""): 0}


def test_every_metric_says_what_it_is() -> None:
    for family in read(SelfMetrics()):
        assert family.documentation
        assert family.name.startswith(("foretide_", "process_", "python_"))


def test_a_forecast_has_its_median_and_what_is_provided_for_while_it_is_trusted() -> None:
    def quantiles(metrics: SelfMetrics) -> dict[str, float]:
        families = [one for one in read(metrics) if one.name == "foretide_forecast_items_per_second"]
        return {sample.labels["level"]: sample.value for one in families for sample in one.samples}

    metrics = SelfMetrics()
    told = outcome((SHOP, 31.0, 2))
    plan = replace(foreseen(62.0, lead_seconds=90.0), likely=Readings.of([40.0]))
    metrics.ticked(replace(told, decisions=replace(told.decisions, plan=plan)), now_seconds=0)
    assert quantiles(metrics) == {"median": 40.0, "provided": 62.0}
    assert series(metrics, "lead_time_seconds") == {SHOP: 90.0}
    metrics.ticked(told, now_seconds=15)
    assert quantiles(metrics) == {}


def test_a_challenger_is_shown_beside_the_policy_that_acts_while_it_is_there() -> None:
    def by_policy(metrics: SelfMetrics, name: str) -> dict[str, float]:
        families = [one for one in read(metrics) if one.name == f"foretide_challenger_{name}"]
        return {sample.labels["policy"]: sample.value for one in families for sample in one.samples}

    metrics, told = SelfMetrics(), outcome((SHOP, 31.0, 2), (BANK, 1.0, 1))
    tally = Tally(
        since_seconds=np.array([0.0]),
        judged_seconds=np.array([3_600.0]),
        asked=np.array([200.0]),
        late=np.array([[1.0, 5.0]]),
        replica_seconds=np.array([[7_200.0, 3_600.0]]),
    )
    verdict = Verdict("web-next", "a/1 b/1", reason=None, message="", replicas=3, tally=tally)
    metrics.ticked(replace(told, verdicts={SHOP: verdict}), now_seconds=0)
    assert series(metrics, "challenger_replicas") == {SHOP: 3}
    assert by_policy(metrics, "late_ratio") == {"champion": 0.005, "challenger": 0.025}
    assert by_policy(metrics, "replica_seconds") == {"champion": 7_200.0, "challenger": 3_600.0}
    nothing = replace(verdict, tally=replace(tally, asked=np.array([0.0])))
    metrics.ticked(replace(told, verdicts={SHOP: nothing}), now_seconds=15)
    assert by_policy(metrics, "late_ratio") == {}
    metrics.ticked(replace(told, verdicts={SHOP: replace(verdict, replicas=None, tally=None)}), now_seconds=30)
    assert series(metrics, "challenger_replicas") == {}
    assert by_policy(metrics, "replica_seconds") == {}
    metrics.ticked(replace(told, verdicts={SHOP: verdict}), now_seconds=45)
    metrics.ticked(told, now_seconds=60)
    assert series(metrics, "challenger_replicas") == {}
    assert by_policy(metrics, "replica_seconds") == {}
    assert series(metrics, "replicas") == {SHOP: 2, BANK: 1}
