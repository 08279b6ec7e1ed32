"""The operator's own metrics: a service's series live as long as the service, and unknown is no number."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from foretide.api.reasons import Reason
from foretide.app.metrics import SelfMetrics
from foretide.control.autoscale import Outcome
from foretide.control.challenge_status import Verdict
from foretide.control.direct import Scrapes
from foretide.control.observe import NoMetrics
from foretide.control.world import Key
from foretide.scaling.readings import Readings
from foretide.scaling.shadow import Tally
from tests.scaling.build import foreseen, join, judge

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
        for name in ("desired", "fleet", "seen", "capacity", "plan", "memory")
    }
    decisions = replace(made[0], **columns)
    no_metrics = NoMetrics(Reason.PROMETHEUS_TIMEOUT, "no answer in 4 s") if down else None
    keys = tuple(key for key, _, _ in services)
    scrapes = Scrapes(asked=8, failed={"Timeout": 2, "Refused": 1}) if down else Scrapes()
    return Outcome(
        keys=keys, decisions=decisions, no_metrics=no_metrics, queries=6, scrapes=scrapes, failed_writes=failed
    )


def series(metrics: SelfMetrics, name: str) -> dict[tuple[str, ...], float]:
    """The value by namespace and service."""
    return {
        (sample.labels.get("namespace", ""), sample.labels.get("service", "")): sample.value
        for family in metrics.registry.collect()
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
    plain = {("", ""): 1.0}
    assert series(metrics, "metrics_available") == plain
    assert series(metrics, "scale_write_errors_total") == plain
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
    assert metrics.registry.get_sample_value("foretide_pod_scrape_errors_total", {"reason": "Timeout"}) == 4
    assert metrics.registry.get_sample_value("foretide_pod_scrape_errors_total", {"reason": "Refused"}) == 2


def test_the_series_of_a_deleted_service_go_and_those_of_its_namesake_stay() -> None:
    metrics = SelfMetrics()
    metrics.ticked(outcome((BANK, 1.0, 1), (SHOP, 31.0, 2)), now_seconds=0)
    metrics.ticked(outcome((BANK, 1.0, 1)), now_seconds=15)
    for name in PER_SERVICE:
        assert series(metrics, name).keys() == {BANK}


def test_a_reconciliation_is_timed_and_its_failure_counted() -> None:
    metrics = SelfMetrics()
    with metrics.reconciling():
        pass
    with pytest.raises(RuntimeError), metrics.reconciling():
        raise RuntimeError
    assert series(metrics, "reconcile_duration_seconds_count") == {("", ""): 2}
    assert series(metrics, "reconcile_errors_total") == {("", ""): 1}


def test_two_registries_share_nothing() -> None:
    one, other = SelfMetrics(), SelfMetrics()
    one.leader.set(1)
    assert series(other, "leader") == {("", ""): 0}


def test_every_metric_says_what_it_is() -> None:
    for family in SelfMetrics().registry.collect():
        assert family.documentation
        assert family.name.startswith(("foretide_", "process_", "python_"))


def test_a_forecast_has_its_median_and_what_is_provided_for_while_it_is_trusted() -> None:
    def quantiles(metrics: SelfMetrics) -> dict[str, float]:
        families = [one for one in metrics.registry.collect() if one.name == "foretide_forecast_items_per_second"]
        return {sample.labels["quantile"]: sample.value for one in families for sample in one.samples}

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
        families = [one for one in metrics.registry.collect() if one.name == f"foretide_challenger_{name}"]
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
    assert by_policy(metrics, "replica_hours") == {"champion": 2.0, "challenger": 1.0}
    nothing = replace(verdict, tally=replace(tally, asked=np.array([0.0])))
    metrics.ticked(replace(told, verdicts={SHOP: nothing}), now_seconds=15)
    assert by_policy(metrics, "late_ratio") == {}
    metrics.ticked(replace(told, verdicts={SHOP: replace(verdict, replicas=None, tally=None)}), now_seconds=30)
    assert series(metrics, "challenger_replicas") == {}
    assert by_policy(metrics, "replica_hours") == {}
    metrics.ticked(replace(told, verdicts={SHOP: verdict}), now_seconds=45)
    metrics.ticked(told, now_seconds=60)
    assert series(metrics, "challenger_replicas") == {}
    assert by_policy(metrics, "replica_hours") == {}
    assert series(metrics, "replicas") == {SHOP: 2, BANK: 1}
