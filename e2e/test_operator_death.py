"""The operator is killed at bad moments, doubled, and gone: services neither notice nor end differently."""

from __future__ import annotations

import time

from e2e.scenarios import sleeper
from e2e.scenarios.api import NAMESPACE, Api
from e2e.scenarios.conditions import holds
from e2e.scenarios.operator import TICKS, Operator
from e2e.scenarios.settings import HOLD_SECONDS
from e2e.scenarios.tenant import Tenant
from e2e.scenarios.traffic import Traffic, none_failed
from e2e.scenarios.waiting import until
from foretide.adapters.resources import CHILDREN, DEPLOYMENT, INFERENCE_SERVICE, SERVICE


def test_kills_during_growth_rollout_and_hold_change_no_end_and_shrink_nothing_early(
    tenant: Tenant, operator: Operator
) -> None:
    rolled = tenant.serve("rolled", sleeper.spec(minReplicas=2, maxReplicas=2))
    # Three replicas whether the machine is busy or not: of 8 ms a request two keep the SLO at 170/s at most.
    grown = tenant.serve("grown", sleeper.spec(latency="4s", minReplicas=1, maxReplicas=3))
    held = tenant.serve("held", sleeper.spec(replicas=3, minReplicas=1))
    for service in (rolled, grown, held):
        service.until_ready()
        service.until_answers()
    # A Deployment begins with one replica; the first tick writes how many it is to have.
    rolled.until_ready(replicas=2)
    held.until_ready(replicas=3)

    with tenant.record(DEPLOYMENT) as deployments, Traffic(grown.load(200.0, seconds=120)) as load:
        held.change(scaling={"replicas": None})
        unpinned = time.monotonic()
        rolled.change(model={"parameters": {"offset": "7"}})
        until("growth is decided", lambda: grown.replicas() > 1, within_seconds=40, shows=grown.story)
        operator.kill()  # growth just written, roll-out half done, hold running
        operator.until_leading()
        operator.crash()  # and again, without any warning, in the first seconds of the new one
        operator.until_leading()

        grown.until("3 replicas ready", lambda live: live["status"].get("readyReplicas", 0) >= 3)
        load.end()
        rolled.until_ready(replicas=2)
        held.until_replicas(1, within_seconds=6 * HOLD_SECONDS)
        held.until_ready(replicas=1)

    sizes = [(state.at_seconds, int(state.obj["spec"]["replicas"])) for state in deployments.of(held.deployment_name)]
    first_shrink = next(at for at, replicas in sizes if replicas < 3)
    assert first_shrink - unpinned >= HOLD_SECONDS, f"shrank {first_shrink - unpinned:.1f} s after the hold began"
    growth = deployments.numbers(grown.deployment_name, "spec", "replicas")
    assert growth[: growth.index(max(growth))] == sorted(growth[: growth.index(max(growth))]), f"growth went {growth}"
    serving = deployments.numbers(rolled.deployment_name, "status", "readyReplicas")
    assert min(serving) >= 2, f"ready replicas of the roll-out went {serving}"
    assert {rolled.ask(index) for index in range(6)} == {7.0}
    assert holds(grown.live(), "ScalingActive")


def test_two_operators_and_only_the_holder_of_the_lease_acts(tenant: Tenant, operator: Operator) -> None:
    operator.scale(2)
    leader = operator.until_leading()
    standby = next(pod["metadata"]["name"] for pod in operator.pods() if pod["metadata"]["name"] != leader)
    first = tenant.serve("first", sleeper.spec())
    first.until_ready()
    acting, waiting = operator.metrics(leader), operator.metrics(standby)
    assert (acting["foretide_leader"], waiting["foretide_leader"]) == (1, 0)
    assert acting["foretide_reconcile_duration_seconds_count"] > 0
    assert waiting["foretide_reconcile_duration_seconds_count"] == 0
    assert waiting[TICKS] == 0

    operator.kill_one(leader)
    second = tenant.serve("second", sleeper.spec())
    assert operator.until_leading() != leader
    second.until_ready()
    operator.scale(1)
    operator.until_leading()


def test_services_outlive_the_operator_and_can_be_deleted_without_it(
    tenant: Tenant, api: Api, operator: Operator
) -> None:
    doomed, stays = tenant.serve("doomed", sleeper.spec()), tenant.serve("stays", sleeper.spec())
    for service in (doomed, stays):
        service.until_ready()
        service.until_answers()
    operator.scale(0)
    try:
        with Traffic(stays.load(40.0, seconds=60)) as load:
            api.delete(INFERENCE_SERVICE, doomed.name, namespace=tenant.namespace)
            until(
                "the children are collected",
                lambda: not any(doomed.children(kind) for kind in CHILDREN),
                within_seconds=30,
                shows=lambda: {kind.kind: doomed.children(kind) for kind in CHILDREN},
            )
            load.until_sent(200)
            none_failed(load.end(), "without an operator", at_least=200)
        assert api.get(SERVICE, stays.name, namespace=tenant.namespace) is not None
        api.delete(INFERENCE_SERVICE, stays.name, namespace=tenant.namespace)
        until("its pods have ended", lambda: not stays.pods(), within_seconds=60, shows=stays.pods)
        # With pods in it a namespace is looked at again only after half a minute, whoever made them.
        tenant.serve("never-served", sleeper.spec())
        tenant.move_out()
        until("the namespace is gone", lambda: api.get(NAMESPACE, tenant.namespace) is None, within_seconds=90)
    finally:
        operator.scale(1)
        operator.until_leading()
