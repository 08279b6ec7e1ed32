"""A model that does not load: said in Triton's own words, healed by the fix, and harmless to what runs."""

from __future__ import annotations

import time

from e2e.scenarios import sleeper
from e2e.scenarios.conditions import condition, holds
from e2e.scenarios.measured import Measured
from e2e.scenarios.tenant import Tenant
from e2e.scenarios.traffic import Traffic, none_failed
from e2e.scenarios.waiting import until
from foretide.adapters.resources import DEPLOYMENT

TOLD_SECONDS = 30.0
TRUNCATED = "weights.bin ends after 12 of 4096 bytes"  # models/broken
UNLICENSED = 'no licence for "GPU": ask {{ team }}'


def test_model_that_does_not_load_is_told_in_tritons_words_and_heals_with_the_fix(
    tenant: Tenant, measured: Measured
) -> None:
    tenant.put_model("broken", name="files")
    running = tenant.serve("running", sleeper.spec(offset=1))
    running.until_ready()
    running.until_answers(1)

    applied = time.monotonic()
    by_files = tenant.serve("by-files", sleeper.spec(config_map="files"))
    by_spec = tenant.serve("by-spec", sleeper.spec(failure=UNLICENSED))
    for service, words in ((by_files, TRUNCATED), (by_spec, UNLICENSED)):
        live = service.until("the failure is told", lambda live: holds(live, "Stalled"), within_seconds=TOLD_SECONDS)
        assert holds(live, "Ready", "False", "ModelLoadFailed"), condition(live, "Ready")
        assert holds(live, "ModelLoaded", "False", "ModelLoadFailed")
        assert words in condition(live, "Ready")["message"]
        assert "failed to load" in condition(live, "Ready")["message"], "Triton's own log line"
        assert not live["status"].get("readyReplicas")
    seconds = time.monotonic() - applied
    measured.add("model does not load -> told with Triton's line", f"{seconds:.1f} s", bar=f"<= {TOLD_SECONDS:g} s")

    tenant.put_model("sleeper", name="files")
    tenant.kubectl(
        "patch", "infer/by-spec", "--type=json", '--patch=[{"op": "remove", "path": "/spec/model/parameters/failure"}]'
    )

    # Meanwhile: the same failure in an update of a service that runs.
    with tenant.record(DEPLOYMENT) as deployments, Traffic(running.load(40.0, seconds=120, offsets=(1.0, 2.0))) as load:
        running.change(model={"parameters": {"failure": UNLICENSED, "offset": "2"}})
        live = running.until("the failure is told", lambda live: holds(live, "Stalled"), within_seconds=TOLD_SECONDS)
        assert holds(live, "Ready", "True", "ModelLoadFailed"), "the old replicas serve on"
        assert UNLICENSED in condition(live, "Stalled")["message"]
        assert running.ask() == 1, "by the old version"
        running.change(model={"parameters": {"failure": None}})
        running.until_ready(replicas=1)
        until("the new version answers", lambda: running.ask() == 2, within_seconds=20)
        load.until_sent(400)
        none_failed(load.end(), "through a broken update and its fix", at_least=400)
    serving = deployments.numbers(running.deployment_name, "status", "readyReplicas")
    assert 0 not in serving, f"ready replicas went {serving}"

    by_spec.until_ready(replicas=1)
    by_spec.until_answers()
    # The kubelet shows the container the new files within its sync period, and restarts it every 10 s at the latest.
    by_files.until_ready(replicas=1, within_seconds=90)
    by_files.until_answers()
