"""parse() for whatever kind an object says it is."""

from typing import Any, Final

from foretide.api import parse
from foretide.api.hardwareclass import HardwareClass
from foretide.api.inferenceservice import InferenceService
from foretide.api.modelprofile import ModelProfile
from foretide.api.problems import Problems
from foretide.api.scalingpolicy import ScalingPolicy

Parsed = InferenceService | HardwareClass | ScalingPolicy | ModelProfile

JUDGES: Final = {
    "InferenceService": parse.inference_service,
    "HardwareClass": parse.hardware_class,
    "ScalingPolicy": parse.scaling_policy,
    "ModelProfile": parse.model_profile,
}


def parsed(raw: Any) -> Parsed | Problems:
    """What parse() makes of an object of any kind."""
    return JUDGES[raw["kind"]](raw)
