"""Replicas that somebody else sets, and what a write of ours does to a Deployment that is not as it was decided on."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from kubernetes.aio import client, config

from e2e.cluster import Cluster
from e2e.scenarios import sleeper
from e2e.scenarios.api import Api
from e2e.scenarios.conditions import holds
from e2e.scenarios.operator import Operator
from e2e.scenarios.service import Service
from e2e.scenarios.tenant import Tenant
from foretide.adapters.errors import Conflict
from foretide.adapters.kubernetes import KubernetesApi
from foretide.adapters.resources import DEPLOYMENT, Object
from foretide.api import group


def scale_by_hand(api: Api, service: Service, replicas: int) -> None:
    change: dict[str, Any] = {"spec": {"replicas": replicas}}
    api.patch(DEPLOYMENT, service.deployment_name, change, namespace=service.namespace, subresource="scale")


def test_a_number_set_by_hand_is_brought_back_and_a_zero_is_off(tenant: Tenant, api: Api, operator: Operator) -> None:
    service = tenant.serve("handled", sleeper.spec(minReplicas=2, maxReplicas=4))
    service.until_ready(replicas=2)
    scale_by_hand(api, service, 1)
    service.until_replicas(2, within_seconds=30.0)
    scale_by_hand(api, service, 0)
    service.until("is off", lambda live: holds(live, "ScalingActive", "False", "ScaledToZero"))
    operator.until_ticks(3)
    assert service.replicas() == 0
    scale_by_hand(api, service, 1)
    service.until_replicas(2, within_seconds=30.0)
    service.until("is on", lambda live: holds(live, "ScalingActive", "True", "ScalingActive"))


def test_only_the_deployment_and_the_number_that_were_decided_on_are_written(
    tenant: Tenant, api: Api, cluster: Cluster
) -> None:
    service = tenant.serve("held", sleeper.spec(minReplicas=1, maxReplicas=4, paused=True))
    service.until_ready(replicas=1)
    seen = service.deployment()
    assert seen is not None
    with pytest.raises(Conflict):
        _scale(cluster, {**seen, "metadata": {**seen["metadata"], "uid": "00000000-0000-0000-0000-000000000000"}}, 2)
    assert service.replicas() == 1
    _scale(cluster, seen, 2)
    assert service.replicas() == 2
    with pytest.raises(Conflict):  # what was seen is no more
        _scale(cluster, seen, 3)
    after = service.deployment()
    assert after is not None
    owners = [
        entry["manager"]
        for entry in after["metadata"]["managedFields"]
        if "f:replicas" in entry["fieldsV1"].get("f:spec", {})
    ]
    assert owners == [group.AUTOSCALE_MANAGER]
    scale_by_hand(api, service, 0)
    none = service.deployment()
    assert none is not None
    with pytest.raises(Conflict):
        _scale(cluster, after, 1)
    assert service.replicas() == 0
    _scale(cluster, {**none, "metadata": {**none["metadata"], "resourceVersion": "1"}}, 1)  # of the same number
    assert service.replicas() == 1


def _scale(cluster: Cluster, deployment: Object, replicas: int) -> None:
    async def scale() -> None:
        configuration = client.Configuration()
        await config.load_kube_config(
            config_file=str(cluster.kubeconfig),
            context=cluster.context or None,
            client_configuration=configuration,
            persist_config=False,
        )
        async with client.ApiClient(configuration) as connection:
            await KubernetesApi(connection).scale(deployment, replicas=replicas, manager=group.AUTOSCALE_MANAGER)

    asyncio.run(scale())
