"""Why: every reason that a condition, an event or a decision can carry. They are API; a test pins the list."""

from enum import StrEnum


class Reason(StrEnum):
    """A CamelCase word for machines, with what it means and what a person can do about it."""

    meaning: str

    def __new__(cls, value: str, meaning: str = "") -> "Reason":
        member = str.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member

    # Ready, Reconciling, Stalled: the service and its children
    AVAILABLE = "Available", "All wanted replicas answer, and the children are what the spec asks for."
    MINIMUM_REPLICAS_AVAILABLE = (
        "MinimumReplicasAvailable",
        "Enough replicas answer to serve; others are starting or being replaced.",
    )
    UP_TO_DATE = "UpToDate", "The children are what the spec asks for; nothing is being changed."
    NOT_STALLED = "NotStalled", "Nothing blocks progress that a person would have to remove."
    CREATING = "Creating", "The children are being created."
    ROLLOUT_IN_PROGRESS = (
        "RolloutInProgress",
        "New pods replace the old ones after a change of the spec or of the hardware class.",
    )
    PODS_NOT_READY = "PodsNotReady", "Pods exist, but none of them answers yet."
    UNSCHEDULABLE = "Unschedulable", "No node has room for a replica; the message has the scheduler's words."
    IMAGE_PULL_FAILED = "ImagePullFailed", "A node cannot fetch the Triton image."
    CONTAINER_CRASHED = (
        "ContainerCrashed",
        "The Triton container ended, and not because of the model; the message has the exit code.",
    )
    OUT_OF_MEMORY = "OutOfMemory", "The Triton container used more memory than its limit and was ended."
    QUOTA_EXCEEDED = "QuotaExceeded", "A ResourceQuota of the namespace refuses more pods."
    PODS_REFUSED = (
        "PodsRefused",
        "An admission rule of the cluster refuses the pods; the message has its words.",
    )
    INVALID_SPEC = (
        "InvalidSpec",
        "The spec breaks rules; the message names each field, its value, the rule and the fix.",
    )
    HARDWARE_CLASS_NOT_FOUND = (
        "HardwareClassNotFound",
        "The hardware class does not exist; the service waits for it.",
    )
    HARDWARE_CLASS_INVALID = (
        "HardwareClassInvalid",
        "The hardware class breaks rules; the message names them.",
    )
    FOREIGN_CHILD = (
        "ForeignChild",
        "An object with the name of a child belongs to somebody else; it is left alone.",
    )
    CHILD_REFUSED = "ChildRefused", "The apiserver refuses a child as invalid; the message names the child."
    FORBIDDEN = (
        "Forbidden",
        "The operator's role does not allow what is needed; the message names verb and resource.",
    )

    # ModelLoaded
    MODEL_LOADED = "ModelLoaded", "Triton has loaded the model in at least one ready replica."
    MODEL_LOADING = "ModelLoading", "Triton is loading the model."
    MODEL_LOAD_FAILED = "ModelLoadFailed", "Triton refuses the model; the message has Triton's own log line."

    # MetricsAvailable: why the load is known, or why it is not
    METRICS_COMPLETE = "MetricsComplete", "Every ready replica is seen by Prometheus."
    PROMETHEUS_UNREACHABLE = (
        "PrometheusUnreachable",
        "Prometheus cannot be reached; the number of replicas is held.",
    )
    PROMETHEUS_TIMEOUT = (
        "PrometheusTimeout",
        "Prometheus did not answer in time; the number of replicas is held.",
    )
    PROMETHEUS_REJECTED = (
        "PrometheusRejected",
        "Prometheus answered with an error; the number of replicas is held.",
    )
    PROMETHEUS_MALFORMED = (
        "PrometheusMalformed",
        "Prometheus' answer is not what its API promises; the number of replicas is held.",
    )
    NO_SERIES = "NoSeries", "Prometheus has no series of any ready replica; the number of replicas is held."
    PARTIAL_SERIES = (
        "PartialSeries",
        "Prometheus misses some ready replicas: no load when growing is judged, full load when shrinking is.",
    )
    STALE_SERIES = "StaleSeries", "The newest sample is too old; the number of replicas is held."
    NOT_FINITE = "NotFinite", "A metric is NaN or infinite; the number of replicas is held."
    NO_READY_REPLICAS = "NoReadyReplicas", "No replica is ready, so there is no load to read yet."

    # ScalingActive: whether the autoscaler acts
    SCALING_ACTIVE = "ScalingActive", "The autoscaler decides the number of replicas."
    SCALING_PAUSED = "ScalingPaused", "spec.scaling.paused is true; the number of replicas is left alone."
    REPLICAS_PINNED = "ReplicasPinned", "spec.scaling.replicas pins the number of replicas."
    FOREIGN_SCALER = (
        "ForeignScaler",
        "Another scaler targets the Deployment; Foretide does not fight it. Remove one of the two.",
    )
    METRICS_UNAVAILABLE = (
        "MetricsUnavailable",
        "The load is unknown, so the number of replicas is held; MetricsAvailable says why.",
    )

    # ScalingLimited and decisions: what bound the number of replicas
    WITHIN_LIMITS = "WithinLimits", "The wanted number of replicas lies between the bounds."
    AT_MAX_REPLICAS = "AtMaxReplicas", "The load needs more replicas than maxReplicas allows."
    AT_MIN_REPLICAS = "AtMinReplicas", "The load needs fewer replicas than minReplicas."
    AT_QUOTA = (
        "AtQuota",
        "More replicas are wanted than the quota leaves; services of a higher priority, or that save more, come first.",
    )
    STEP_LIMITED = "StepLimited", "Fewer replicas would do, but one step takes away no more; the rest follows."
    SCALE_DOWN_HELD = (
        "ScaleDownHeld",
        "Fewer replicas would do, but the load was higher within the hold time.",
    )
    ROLLOUT_HELD = "RolloutHeld", "Nothing shrinks while new pods replace old ones."
    SCALED_UP = "ScaledUp", "Replicas were added."
    SCALED_DOWN = "ScaledDown", "Replicas were removed."
    STEADY = "Steady", "The number of replicas fits the load."
