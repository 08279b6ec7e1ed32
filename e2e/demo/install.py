"""Brings the operator, the model and the InferenceService into the cluster; every step may be repeated."""

from __future__ import annotations

from e2e.demo import example, volume
from e2e.demo.example import FOLDER, Example
from e2e.demo.model import REPOSITORY
from e2e.demo.target import CommandFailed, Object, Target

CHART = REPOSITORY / "charts" / "foretide"
NAMESPACE = "foretide-system"
RELEASE = "foretide"
# A day of the trace passes in four minutes, so the autoscaler's times shrink too.
AUTOSCALER = {"tickSeconds": 5, "scaleDownHoldSeconds": 30}
DEADLINE = "180s"


def operator(target: Target) -> None:
    """The operator by its Helm chart, ready; an installation that was killed half way is taken over."""
    values = chart_values(target)
    words = ["upgrade", "--install", RELEASE, str(CHART), f"--namespace={NAMESPACE}", "--create-namespace"]
    words += ["--wait", f"--timeout={DEADLINE}"]
    try:
        target.helm(*words, values=values)
    except CommandFailed as error:
        if "another operation" not in error.output:
            raise
        pending = "owner=helm,name=foretide,status in (pending-install, pending-upgrade, pending-rollback)"
        target.kubectl("delete", "secrets", f"--namespace={NAMESPACE}", f"--selector={pending}")
        target.helm(*words, values=values)


def chart_values(target: Target) -> Object:
    """What the demo sets in the chart."""
    repository, _, tag = target.image("operator").rpartition(":")
    return {
        "image": {"repository": repository, "tag": tag},
        "prometheus": {"url": "http://prometheus.monitoring.svc:9090"},
        "autoscaler": AUTOSCALER,
        "metricsService": {"enabled": True},  # the chart of the demo shows what is foreseen
        "podAnnotations": {"foretide.dev/demo-version": target.operator_version},  # a changed operator is started anew
    }


def model(target: Target, wanted: Example) -> None:
    """The namespace and the claim with the model's file."""
    target.apply(FOLDER / "namespace.yaml")
    if target.embedded:
        volume.from_this_machine(target, wanted)
    else:
        volume.by_copying(target, wanted)


def service(target: Target, *, season_seconds: float | None) -> None:
    """The hardware class with this cluster's image, how to scale, the InferenceService and the port for the load.

    `season_seconds` is how long a day of the load lasts; None where no second one is like the first.
    """
    hardware = example.load(FOLDER / "hardwareclass.yaml")
    hardware["spec"]["triton"]["image"] = target.image("triton")
    target.apply(hardware)
    target.apply(example.policy(season_seconds=season_seconds), FOLDER / "modelprofile.yaml")
    target.apply(FOLDER / "inferenceservice.yaml", FOLDER / "nodeport.yaml")
