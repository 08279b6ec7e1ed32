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
    RECONCILE_PAUSED = (
        "ReconcilePaused",
        "The annotation foretide.dev/paused is set: what runs goes on running, and nothing of it is changed.",
    )
    NOT_STALLED = "NotStalled", "Nothing blocks progress that a person would have to remove."
    CREATING = "Creating", "The children are being created."
    ROLLOUT_IN_PROGRESS = (
        "RolloutInProgress",
        "New pods replace the old ones after a change of the spec or of the hardware class.",
    )
    PODS_NOT_READY = "PodsNotReady", "Pods exist, but none of them answers yet."
    UNSCHEDULABLE = "Unschedulable", "No node has room for a replica; the message has the scheduler's words."
    IMAGE_PULL_FAILED = "ImagePullFailed", "A node cannot fetch the image of Triton, or that of the download."
    CONTAINER_CRASHED = (
        "ContainerCrashed",
        "The Triton container ended, and not because of the model; the message has the exit code.",
    )
    OUT_OF_MEMORY = "OutOfMemory", "Triton, or the download, used more memory than the limit and was ended."
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
    HARDWARE_UNFIT = (
        "HardwareUnfit",
        "The hardware class cannot run the model's backend or its precision, or has too little memory for its response "
        "cache; the message says what to change.",
    )
    FOREIGN_CHILD = (
        "ForeignChild",
        "An object with the name of a child belongs to somebody else; it is left alone.",
    )
    IMAGE_VOLUMES_UNAVAILABLE = (
        "ImageVolumesUnavailable",
        "The cluster has no image volumes: they need Kubernetes 1.35, or the feature gate ImageVolume before that.",
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
    DOWNLOAD_FAILED = (
        "DownloadFailed",
        "The files of spec.model.source.uri cannot be downloaded; the message has rclone's own last error.",
    )

    # MetricsAvailable: why the load is known, or why it is not
    METRICS_COMPLETE = "MetricsComplete", "Every ready replica is seen."
    PROMETHEUS_UNREACHABLE = (
        "PrometheusUnreachable",
        "Prometheus cannot be reached; the load is read from the pods directly, and nothing shrinks.",
    )
    PROMETHEUS_TIMEOUT = (
        "PrometheusTimeout",
        "Prometheus did not answer in time; the load is read from the pods directly, and nothing shrinks.",
    )
    PROMETHEUS_REJECTED = (
        "PrometheusRejected",
        "Prometheus answered with an error; the load is read from the pods directly, and nothing shrinks.",
    )
    PROMETHEUS_UNAUTHORIZED = (
        "PrometheusUnauthorized",
        "Prometheus does not let the operator in, or a file with its credentials cannot be used; "
        "the load is read from the pods directly, and nothing shrinks.",
    )
    PROMETHEUS_TLS = (
        "PrometheusTLS",
        "No trusted connection to Prometheus: a certificate is refused on either side; "
        "the load is read from the pods directly, and nothing shrinks.",
    )
    PROMETHEUS_TOO_LARGE = (
        "PrometheusTooLarge",
        "Prometheus' answer is larger than any honest one and was not read to its end; "
        "the load is read from the pods directly, and nothing shrinks.",
    )
    PROMETHEUS_PARTIAL = (
        "PrometheusPartial",
        "Prometheus says that its answer is not whole: a store behind it is away; "
        "the load is read from the pods directly, and nothing shrinks.",
    )
    PROMETHEUS_MALFORMED = (
        "PrometheusMalformed",
        "Prometheus' answer breaks its API; the load is read from the pods directly, and nothing shrinks.",
    )
    NO_SERIES = "NoSeries", "Prometheus has no series of any ready replica; the number of replicas is held."
    PARTIAL_SERIES = (
        "PartialSeries",
        "Prometheus misses some ready replicas: no load when growing is judged, full load when shrinking is.",
    )
    CLOCK_SKEW = (
        "ClockSkew",
        "A clock is wrong: that of Prometheus, of the operator, or of who writes samples; nothing shrinks meanwhile.",
    )
    STALE_SERIES = "StaleSeries", "The newest sample is too old; the number of replicas is held."
    NOT_FINITE = "NotFinite", "A metric is NaN or infinite; the number of replicas is held."
    NO_READY_REPLICAS = "NoReadyReplicas", "No replica is ready, so there is no load to read yet."

    # ForecastHealthy: whether the forecast has a say
    FORECAST_TRUSTED = "ForecastTrusted", "The forecast did well enough lately to add replicas."
    NO_HISTORY = "NoHistory", "Too little of the load has been seen to foresee it; the load of now decides."
    HISTORY_GAPS = "HistoryGaps", "The history of the load has too many gaps; the load of now decides."
    FORECAST_MISSED = (
        "ForecastMissed",
        "The forecast failed, or the load left it too often lately; the load of now decides until it does better.",
    )
    FORECAST_OFF = "ForecastOff", "spec.forecast.mode of the ScalingPolicy is Reactive; the load of now decides."

    # ScalingActive: whether the autoscaler acts
    SCALING_ACTIVE = "ScalingActive", "The autoscaler decides the number of replicas."
    SCALING_PAUSED = (
        "ScalingPaused",
        "By spec.scaling.paused, or by the annotation foretide.dev/paused, the number of replicas is left alone.",
    )
    REPLICAS_PINNED = "ReplicasPinned", "spec.scaling.replicas pins the number of replicas."
    FOREIGN_SCALER = (
        "ForeignScaler",
        "Another scaler targets the Deployment; Foretide does not fight it. Remove one of the two.",
    )
    SCALED_TO_ZERO = (
        "ScaledToZero",
        "Somebody scaled the Deployment to 0: the service is off until somebody scales it up again.",
    )
    MANUAL_SCALE = (
        "ManualScale",
        "Somebody else changed the number of replicas of the Deployment; the autoscaler goes on from there.",
    )
    MANUAL_SCALE_CONTESTED = (
        "ManualScaleContested",
        "Somebody else changes the number of replicas again and again; it is left alone until that stops. "
        "Set spec.scaling.paused or spec.scaling.replicas instead.",
    )
    SCALE_REFUSED = (
        "ScaleRefused",
        "The API server refuses the number of replicas, which is tried again at each tick; the message has its words.",
    )
    METRICS_UNAVAILABLE = (
        "MetricsUnavailable",
        "The load is unknown, so the number of replicas is held; MetricsAvailable says why.",
    )
    POLICY_NOT_FOUND = "PolicyNotFound", "spec.scaling.policyRef names a ScalingPolicy that does not exist."
    POLICY_INVALID = "PolicyInvalid", "The ScalingPolicy breaks rules; the message names them."
    ADVISORY = (
        "Advisory",
        "spec.mode of the ScalingPolicy is Advisory: decisions are told, and no replicas are written.",
    )

    # status.challenger: why the policy that is tried is not compared
    CHALLENGER_NOT_FOUND = (
        "ChallengerNotFound",
        "spec.challenger of the ScalingPolicy names one that does not exist; the policy itself goes on.",
    )
    CHALLENGER_INVALID = (
        "ChallengerInvalid",
        "The ScalingPolicy to be tried breaks rules; the message names them. The policy itself goes on.",
    )
    CHALLENGER_FAULT = (
        "ChallengerFault",
        "The operator failed at the comparison; its log says how. The policy itself goes on.",
    )

    # ScalingLimited and decisions: what bound the number of replicas
    WITHIN_LIMITS = "WithinLimits", "The wanted number of replicas lies between the bounds."
    AT_MAX_REPLICAS = "AtMaxReplicas", "The load needs more replicas than maxReplicas allows."
    AT_MIN_REPLICAS = "AtMinReplicas", "The load needs fewer replicas than minReplicas."
    AT_QUOTA = (
        "AtQuota",
        "More replicas are wanted than the quota leaves; services of a higher priority, or that save more, come first.",
    )
    STEP_LIMITED = "StepLimited", "Fewer or more replicas are wanted, but one step moves no further; the rest follows."
    SCALE_DOWN_HELD = (
        "ScaleDownHeld",
        "Fewer replicas would do, but the load was higher within the hold time, or is not known well enough.",
    )
    REPLICAS_CRASHING = (
        "ReplicasCrashing",
        "New replicas crash again and again, so hardly more are asked for; ModelLoaded and Stalled say why they do.",
    )
    CONTAINERS_NOT_CREATED = (
        "ContainersNotCreated",
        "The containers of new replicas cannot be created, as for want of an image or of a Secret, so hardly more are "
        "asked for; Ready says what is missing.",
    )
    GROWN_BLIND = (
        "GrownBlind",
        "The load has been unknown for longer than the policy holds; replicas are as many as the last day needed.",
    )
    ROLLOUT_HELD = "RolloutHeld", "Nothing shrinks while new pods replace old ones."
    SCALED_UP = "ScaledUp", "Replicas were added."
    SCALED_DOWN = "ScaledDown", "Replicas were removed."
    STEADY = "Steady", "The number of replicas fits the load."

    # SLOFeasible: whether any number of replicas can keep the latency
    SLO_FEASIBLE = "SLOFeasible", "A replica keeps the latency at some load; enough of them keep the objective."
    SLO_INFEASIBLE = (
        "SLOInfeasible",
        "Even a request alone takes longer than the latency on this hardware; the message has both times.",
    )

    # status.hardware: why a hardware class has as many replicas as it has
    IN_USE = "InUse", "It has all replicas that the classes before it leave over."
    NOT_NEEDED = "NotNeeded", "The classes before it carry the load."
    SLOWS_OTHERS = (
        "SlowsOthers",
        "Each replica gets the same share of the load whatever its class: with this slow one the service would carry "
        "less, or need more replicas of the classes after it.",
    )
    HANDING_OVER = "HandingOver", "Its replicas serve until those of other classes are ready to take over."

    # SLOMet: what is left of the error budget
    SLO_MET = "SLOMet", "The objective is kept, and the error budget lasts for its window."
    SLO_BUDGET_BURNING = (
        "SLOBudgetBurning",
        "The error budget is being spent so fast that it ends before its window; status.slo has the rates.",
    )
    SLO_BUDGET_SPENT = "SLOBudgetSpent", "More requests missed the objective within the window than it allows."
    SLO_UNKNOWN = "SLOUnknown", "Too little has been measured to say whether the objective is or can be kept."
