"""What the operator learns from five minutes of load is what the test model was made of."""

from __future__ import annotations

import time
from typing import Final

from e2e.proofs import loads
from e2e.scenarios import sleeper
from e2e.scenarios.measured import Measured
from e2e.scenarios.tenant import Tenant
from e2e.scenarios.traffic import Traffic
from foretide.api.durations import parse_seconds

FIXED_MILLISECONDS: Final = 60.0
ITEM_MILLISECONDS: Final = 12.0
MAX_BATCH: Final = 8
LOAD_SECONDS: Final = 60.0
SECONDS: Final = 300.0


def test_the_law_and_the_cold_start_are_those_of_the_model(tenant: Tenant, measured: Measured) -> None:
    """The load climbs, so that batches of all sizes are run and replicas are started."""
    spec = sleeper.spec(
        milliseconds=FIXED_MILLISECONDS,
        item_milliseconds=ITEM_MILLISECONDS,
        load_seconds=LOAD_SECONDS,
        max_batch=MAX_BATCH,
        latency="600ms",
        minReplicas=2,
        maxReplicas=4,
    )
    service = tenant.serve("pupil", spec)
    service.until_ready(replicas=2, within_seconds=180)
    service.until_answers()
    profile = loads.through([(0.0, 10.0), (150.0, 70.0), (SECONDS, 110.0)])
    with Traffic(service.following(profile)) as load:
        time.sleep(SECONDS)
        live, of_pods_seconds = service.live(), tenant.started_in_seconds()
        load.end()

    law = live["status"]["capacity"]["batchTime"]
    assert live["status"]["capacity"]["source"] == "Measured"
    wrong = {
        "fixed": parse_seconds(law["fixed"]) / (FIXED_MILLISECONDS / 1e3) - 1,
        "perItem": parse_seconds(law["perItem"]) / (ITEM_MILLISECONDS / 1e3) - 1,
    }
    assert of_pods_seconds is not None, "some are ready"
    learned = parse_seconds(live["status"]["coldStart"]["p50"])
    of_model = learned / LOAD_SECONDS - 1
    of_pods = learned / of_pods_seconds - 1
    told = ", ".join(f"{name} {share:+.1%}" for name, share in wrong.items())
    measured.add("learned batch times beside the model's, after 5 min", told, bar="within 5 %")
    measured.add(
        f"learned cold start: {learned:.3g} s, the model's load {LOAD_SECONDS:g} s, the pods' {of_pods_seconds:.3g} s",
        f"{of_model:+.1%} and {of_pods:+.1%}",
        bar="within 10 %",
    )
    assert all(abs(share) <= 0.05 for share in wrong.values()), law
    assert max(abs(of_model), abs(of_pods)) <= 0.1, live["status"]["coldStart"]
