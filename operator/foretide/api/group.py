"""Names that are fixed for ever at the first release: group, kinds, field managers and label keys."""

from typing import Final

GROUP: Final = "foretide.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"
CATEGORY: Final = "foretide"

INFERENCE_SERVICE_KIND: Final = "InferenceService"
INFERENCE_SERVICES: Final = "inferenceservices"
HARDWARE_CLASS_KIND: Final = "HardwareClass"
HARDWARE_CLASSES: Final = "hardwareclasses"
SCALING_POLICY_KIND: Final = "ScalingPolicy"
SCALING_POLICIES: Final = "scalingpolicies"
MODEL_PROFILE_KIND: Final = "ModelProfile"
MODEL_PROFILES: Final = "modelprofiles"

# One writer per field: the reconcile loop owns the children and Ready, the autoscale loop owns /scale and the rest.
RECONCILE_MANAGER: Final = "foretide"
AUTOSCALE_MANAGER: Final = "foretide-autoscaler"

SERVICE_LABEL: Final = f"{GROUP}/service"
HARDWARE_CLASS_LABEL: Final = f"{GROUP}/hardware-class"
# A digest of the whole pod template: it tells the pods of the newest template from the others.
TEMPLATE_DIGEST_ANNOTATION: Final = f"{GROUP}/template-digest"
# A digest of the whole manifest of a child, by which an operator that starts knows what it need not write.
MANIFEST_DIGEST_ANNOTATION: Final = f"{GROUP}/manifest-digest"
# The order to leave an object alone.
PAUSED_ANNOTATION: Final = f"{GROUP}/paused"
NAME_LABEL: Final = "app.kubernetes.io/name"
INSTANCE_LABEL: Final = "app.kubernetes.io/instance"
COMPONENT_LABEL: Final = "app.kubernetes.io/component"
MANAGED_BY_LABEL: Final = "app.kubernetes.io/managed-by"

TRITON: Final = "triton"
INFERENCE_SERVER: Final = "inference-server"
MANAGED_BY: Final = "foretide"
