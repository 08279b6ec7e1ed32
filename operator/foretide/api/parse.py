"""The one door from raw objects to typed ones: what comes out keeps every rule, or is the list of all broken ones."""

from collections.abc import Callable, Mapping
from typing import Annotated, Final, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from foretide.api import structure
from foretide.api.hardwareclass import HardwareClass, HardwareClassSpec
from foretide.api.inferenceservice import InferenceService, InferenceServiceSpec
from foretide.api.modelprofile import ModelProfile, ModelProfileSpec
from foretide.api.names import CLASS_NAME, SERVICE_NAME, ObjectName
from foretide.api.problems import Problem, Problems, broken, missing
from foretide.api.scalingpolicy import NOT_ITS_OWN_CHALLENGER, ScalingPolicy, ScalingPolicySpec

# The deepest field of the API is 7 levels down; below that nothing is looked at, so no nesting can exhaust the stack.
_DEPTH: Final = 16

_Section = TypeVar("_Section", bound=BaseModel)
_Typed = TypeVar("_Typed")


def inference_service(raw: Mapping[str, object]) -> InferenceService | Problems:
    """The service, or everything that is wrong with it. Never raises, whatever JSON it is given."""
    return _parsed(raw, _ServiceMetadata, InferenceServiceSpec, InferenceService)


def hardware_class(raw: Mapping[str, object]) -> HardwareClass | Problems:
    """The class, or everything that is wrong with it. Never raises, whatever JSON it is given."""
    return _parsed(raw, _ClassMetadata, HardwareClassSpec, HardwareClass)


def scaling_policy(raw: Mapping[str, object]) -> ScalingPolicy | Problems:
    """The policy, or everything that is wrong with it. Never raises, whatever JSON it is given."""
    parsed = _parsed(raw, _PolicyMetadata, ScalingPolicySpec, ScalingPolicy)
    if isinstance(parsed, Problems) or NOT_ITS_OWN_CHALLENGER.holds(parsed):
        return parsed
    return Problems((broken(NOT_ITS_OWN_CHALLENGER, parsed),))


def model_profile(raw: Mapping[str, object]) -> ModelProfile | Problems:
    """The profile, or everything that is wrong with it. Never raises, whatever JSON it is given."""
    return _parsed(raw, _ProfileMetadata, ModelProfileSpec, ModelProfile)


class _Metadata(BaseModel):
    """What is read of metadata. Files have no uid and generation yet, so both may be missing."""

    model_config = ConfigDict(frozen=True, strict=True)

    uid: str = ""
    generation: int = 0


class _ServiceMetadata(_Metadata):
    name: Annotated[str, SERVICE_NAME] = Field(examples=["ranker"])
    namespace: str = "default"


class _ClassMetadata(_Metadata):
    name: Annotated[str, CLASS_NAME] = Field(examples=["cpu-16"])


class _PolicyMetadata(_Metadata):
    name: ObjectName = Field(examples=["web"])
    namespace: str = "default"


class _ProfileMetadata(_Metadata):
    name: ObjectName = Field(examples=["ranker-gpu-t4"])
    namespace: str = "default"


def _parsed(
    raw: Mapping[str, object],
    metadata_model: type[_Metadata],
    spec_model: type[BaseModel],
    made: Callable[..., _Typed],
) -> _Typed | Problems:
    """What `made` makes of the fields of the metadata and of the spec, or the problems of both."""
    problems: list[Problem] = []
    metadata = _section(raw, "metadata", metadata_model, problems)
    spec = _section(raw, "spec", spec_model, problems)
    if metadata is None or spec is None:
        return Problems(tuple(problems))
    return made(**metadata.model_dump(), spec=spec)


def _section(raw: object, name: str, model: type[_Section], problems: list[Problem]) -> _Section | None:
    """One validated part of the object; None when it added to `problems`."""
    if not isinstance(raw, Mapping) or name not in raw:
        problems.append(missing(name))
        return None
    try:
        return model.model_validate(_plain(raw[name]), by_alias=True, by_name=False)
    except ValidationError as error:
        problems.extend(structure.problems(error, model, name))
        return None


def _plain(value: object, depth: int = 0) -> object:
    """The value as the models take it: dicts (kopf hands out views) and tuples (models are immutable).

    As in the apiserver, a member that is null is left out, and a number like 3.0 is an integer.
    """
    if depth == _DEPTH:
        return value
    match value:
        case Mapping():
            return {name: _plain(member, depth + 1) for name, member in value.items() if member is not None}
        case list() | tuple():
            return tuple(_plain(item, depth + 1) for item in value)
        case float() if value.is_integer():
            return int(value)
        case _:
            return value
