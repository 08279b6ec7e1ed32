"""The CustomResourceDefinition around a schema: names, printer columns, subresources."""

from typing import Any

from foretide.api import group
from foretide.api.crdschema import Schema, structural
from foretide.api.hardwareclass import HardwareClassSpec
from foretide.api.inferenceservice import InferenceServiceSpec
from foretide.api.modelprofile import ModelProfileSpec
from foretide.api.names import CLASS_NAME, OBJECT_NAME, SERVICE_NAME
from foretide.api.rules import Rule
from foretide.api.scalingpolicy import NOT_ITS_OWN_CHALLENGER, ScalingPolicySpec
from foretide.api.status import InferenceServiceStatus

Column = dict[str, Any]


def definitions() -> dict[str, dict[str, Any]]:
    """Every CustomResourceDefinition of the API by its name."""
    documents = (_inference_service(), _hardware_class(), _scaling_policy(), _model_profile())
    return {document["metadata"]["name"]: document for document in documents}


def _inference_service() -> dict[str, Any]:
    ready = ".status.conditions[?(@.type=='Ready')]"
    return _definition(
        kind=group.INFERENCE_SERVICE_KIND,
        plural=group.INFERENCE_SERVICES,
        short_name="infer",
        scope="Namespaced",
        name_rule=SERVICE_NAME,
        description="A model served within a latency, on Triton, with as many replicas as its load needs.",
        spec=structural(InferenceServiceSpec),
        status=structural(InferenceServiceStatus),
        columns=[
            _column("Ready", f"{ready}.status", "Whether the service answers as its spec asks."),
            _column("Replicas", ".status.readyReplicas", "Replicas that answer.", of="integer"),
            _column("Desired", ".status.desiredReplicas", "Replicas the autoscaler wants.", of="integer"),
            _column("Class", ".status.hardware[?(@.counted>0)].class", "The first hardware class that it uses."),
            _column("Reason", f"{ready}.reason", "Why it is or is not ready."),
            _column("URL", ".status.url", "Where the service answers inside the cluster.", priority=1),
        ],
    )


def _hardware_class() -> dict[str, Any]:
    return _definition(
        kind=group.HARDWARE_CLASS_KIND,
        plural=group.HARDWARE_CLASSES,
        short_name="hwc",
        scope="Cluster",
        name_rule=CLASS_NAME,
        description="One kind of hardware that InferenceServices may use, with its Triton image.",
        spec=structural(HardwareClassSpec),
        status=None,
        columns=[
            _column("Family", ".spec.family", "Kind of processor."),
            _column("Instances", ".spec.triton.instances", "Copies of the model in one replica."),
            _column("Cost", ".spec.cost.perHour", "Price of one replica for an hour."),
            _column("Quota", ".spec.quota.maxReplicas", "Most replicas of all services together.", of="integer"),
            _column("Image", ".spec.triton.image", "Image of the Triton server.", priority=1),
        ],
    )


def _scaling_policy() -> dict[str, Any]:
    return _definition(
        kind=group.SCALING_POLICY_KIND,
        plural=group.SCALING_POLICIES,
        short_name="scp",
        scope="Namespaced",
        name_rule=OBJECT_NAME,
        description="How InferenceServices are scaled: how far the autoscaler foresees, dares, grows and holds.",
        spec=structural(ScalingPolicySpec),
        status=None,
        columns=[
            _column("Mode", ".spec.mode", "Whether decisions are carried out."),
            _column("Forecast", ".spec.forecast.mode", "Whether the load to come is foreseen."),
            _column("Risk", ".spec.forecast.risk", "The quantile of the load that is provided for."),
            _column("Priority", ".spec.priority", "Who is served first under a quota.", of="integer"),
            _column("Challenger", ".spec.challenger.policyRef.name", "The policy tried beside this one.", priority=1),
        ],
        rules=(NOT_ITS_OWN_CHALLENGER,),
    )


def _model_profile() -> dict[str, Any]:
    return _definition(
        kind=group.MODEL_PROFILE_KIND,
        plural=group.MODEL_PROFILES,
        short_name="mprof",
        scope="Namespaced",
        name_rule=OBJECT_NAME,
        description="What was measured of one service on one hardware class, so that nothing has to be learned first.",
        spec=structural(ModelProfileSpec),
        status=None,
        columns=[
            _column("Service", ".spec.service", "InferenceService that was measured."),
            _column("Class", ".spec.hardwareClass", "HardwareClass on which it was measured."),
            _column("PerItem", ".spec.batchTime.perItem", "Duration that each item adds to a batch."),
            _column("Fixed", ".spec.batchTime.fixed", "Duration of a batch apart from its items."),
            _column("ColdStart", ".spec.coldStart", "Time until nine of ten replicas are ready."),
        ],
    )


def _definition(
    *,
    kind: str,
    plural: str,
    short_name: str,
    scope: str,
    name_rule: Rule,
    description: str,
    spec: Schema,
    status: Schema | None,
    columns: list[Column],
    rules: tuple[Rule, ...] = (),
) -> dict[str, Any]:
    schema: Schema = {
        "description": description,
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": spec,
        },
        "x-kubernetes-validations": [name_rule.schema_of("metadata.name"), *(rule.schema() for rule in rules)],
    }
    version: dict[str, Any] = {
        "name": group.VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "additionalPrinterColumns": [*columns, _column("Age", ".metadata.creationTimestamp", "", of="date")],
    }
    if status is not None:
        schema["properties"]["status"] = status
        version["subresources"] = {"status": {}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group.GROUP}"},
        "spec": {
            "group": group.GROUP,
            "names": {
                "kind": kind,
                "listKind": f"{kind}List",
                "plural": plural,
                "singular": kind.lower(),
                "shortNames": [short_name],
                "categories": [group.CATEGORY],
            },
            "scope": scope,
            "versions": [version],
        },
    }


def _column(name: str, path: str, description: str, *, of: str = "string", priority: int = 0) -> Column:
    column: Column = {"name": name, "type": of, "jsonPath": path}
    if description:
        column["description"] = description
    return {**column, "priority": priority} if priority else column
