"""Reasons are API: removing or renaming one breaks alerts and scripts of users, so the list is pinned."""

import re

from foretide.api.reasons import Reason
from foretide.api.status import ConditionEntry

_PINNED = """
Available MinimumReplicasAvailable UpToDate ReconcilePaused NotStalled Creating RolloutInProgress
PodsNotReady Unschedulable
ImagePullFailed ContainerCrashed OutOfMemory QuotaExceeded PodsRefused InvalidSpec
HardwareClassNotFound HardwareClassInvalid HardwareUnfit ForeignChild ImageVolumesUnavailable ChildRefused Forbidden
ModelLoaded ModelLoading ModelLoadFailed DownloadFailed
MetricsComplete PrometheusUnreachable PrometheusTimeout PrometheusRejected PrometheusUnauthorized PrometheusTLS
PrometheusTooLarge PrometheusPartial PrometheusMalformed NoSeries PartialSeries
ClockSkew StaleSeries NotFinite NoReadyReplicas
ForecastTrusted NoHistory HistoryGaps ForecastMissed ForecastOff
ScalingActive ScalingPaused ReplicasPinned ForeignScaler
ScaledToZero ManualScale ManualScaleContested ScaleRefused MetricsUnavailable PolicyNotFound PolicyInvalid Advisory
ChallengerNotFound ChallengerInvalid ChallengerFault
WithinLimits AtMaxReplicas AtMinReplicas AtQuota StepLimited ScaleDownHeld ReplicasCrashing
ContainersNotCreated GrownBlind
RolloutHeld ScaledUp ScaledDown Steady
SLOFeasible SLOInfeasible
InUse NotNeeded SlowsOthers HandingOver
SLOMet SLOBudgetBurning SLOBudgetSpent SLOUnknown
"""


def test_the_reasons_are_the_pinned_ones() -> None:
    assert [reason.value for reason in Reason] == _PINNED.split()


def test_a_reason_is_one_camel_case_word_that_kubernetes_accepts() -> None:
    for reason in Reason:
        assert re.fullmatch("[A-Z][A-Za-z]*", reason)
        words = re.sub("(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", reason.value)  # SLOMet is SLO_MET
        assert words.upper() == reason.name
        assert len(reason) <= 64


def test_every_reason_says_what_it_means_in_a_sentence() -> None:
    for reason in Reason:
        assert reason.meaning.endswith(".")
    assert len({reason.meaning for reason in Reason}) == len(Reason)


def test_a_reason_is_found_by_its_word() -> None:
    assert Reason("InvalidSpec") is Reason.INVALID_SPEC


def test_the_schema_of_status_takes_every_reason() -> None:
    for reason in Reason:
        ConditionEntry(type="Ready", status="False", reason=reason, message="", last_transition_time="")
