"""What cannot be served is refused with a reason, touches nothing of others, and heals once the cause is gone."""

from __future__ import annotations

from e2e.cluster.target import image
from e2e.scenarios import sleeper
from e2e.scenarios.api import Api
from e2e.scenarios.conditions import condition, holds, kstatus
from e2e.scenarios.tenant import Tenant
from foretide.adapters.resources import HARDWARE_CLASS, SERVICE


def test_unknown_hardware_class_names_the_known_ones_and_heals_when_it_is_made(tenant: Tenant, api: Api) -> None:
    missing = tenant.namespace  # a name that no other session uses
    service = tenant.serve("ranker", sleeper.spec(hardware_class=missing))
    live = service.until("refused", lambda live: holds(live, "Stalled"), within_seconds=10)
    assert kstatus(live) == "Failed"
    assert holds(live, "Ready", "False", "HardwareClassNotFound")
    message = condition(live, "Stalled")["message"]
    assert f'"{missing}"' in message
    assert sleeper.HARDWARE_CLASS in message, f"the known classes are listed: {message}"
    assert service.pods() == []
    try:
        api.apply(HARDWARE_CLASS, sleeper.hardware_class(image("triton"), name=missing))
        service.until_ready(replicas=1)
        service.until_answers()
    finally:
        api.delete(HARDWARE_CLASS, missing)
    live = service.until("refused again", lambda live: holds(live, "Stalled"), within_seconds=10)
    assert holds(live, "Ready", "True", "HardwareClassNotFound"), "what runs goes on running"


def test_objects_of_others_are_left_alone(tenant: Tenant, api: Api) -> None:
    foreign = {
        "metadata": {"name": "ranker", "namespace": tenant.namespace, "labels": {"team": "other"}},
        "spec": {"ports": [{"port": 80}], "selector": {"app": "other"}},
    }
    before = api.create(SERVICE, foreign)
    service = tenant.serve("ranker", sleeper.spec())
    live = service.until("refused", lambda live: holds(live, "Stalled"), within_seconds=10)
    assert holds(live, "Ready", "False", "ForeignChild")
    message = condition(live, "Stalled")["message"]
    assert f"Service {tenant.namespace}/ranker" in message
    assert service.deployment() is None, "nothing is made of a service that cannot be whole"
    after = api.get(SERVICE, "ranker", namespace=tenant.namespace)
    assert after is not None
    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"], "untouched"

    api.delete(SERVICE, "ranker", namespace=tenant.namespace)
    service.until_ready(replicas=1)
    service.until_answers()
