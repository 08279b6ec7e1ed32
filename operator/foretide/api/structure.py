"""From pydantic's errors to problems: where an object does not have the structure of its model."""

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Any, Final, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from foretide.api.problems import Problem, broken, missing, one_line, shown
from foretide.api.rules import BROKEN_RULES, QUANTITY_TYPE

Location = tuple[int | str, ...]

_TYPES: Final = {
    QUANTITY_TYPE: "a string or an integer",
    "string_type": "a string",
    "string_unicode": "a string of valid Unicode",
    "int_type": "an integer",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
}


def problems(error: ValidationError, model: type[BaseModel], root: str) -> Iterator[Problem]:
    """The problems behind one pydantic error of `model`, with paths below `root`."""
    for detail in error.errors(include_url=False):
        if detail["type"] == BROKEN_RULES:
            for rule in detail["ctx"]["broken"]:
                yield broken(rule, detail["ctx"]["value"], _path(root, detail["loc"]))
        elif not _is_echo(detail):
            yield _problem(detail, model, root)


def _is_echo(detail: ErrorDetails) -> bool:
    """pydantic counts only the valid items of a list, and so calls a list with one wrong item too short as well."""
    return detail["type"] == "too_short" and len(detail["input"]) >= detail["ctx"]["min_length"]


def _problem(detail: ErrorDetails, model: type[BaseModel], root: str) -> Problem:
    kind, value, context = detail["type"], detail["input"], detail.get("ctx", {})
    field = _path(root, detail["loc"])
    owner, member = _owner(model, detail["loc"])
    example = _example(owner, member)
    if kind == "missing":
        return missing(field, f", for example {example}" if example else "")
    if kind == "extra_forbidden":
        return Problem(field, shown(value), "is set, but the API has no such field", _nearest_member(owner, member))
    rule, fix = _rule_and_fix(kind, value, context, detail["msg"])
    return Problem(field, shown(value), rule, f"{fix}, for example {example}" if example else fix)


def _rule_and_fix(kind: str, value: object, context: dict[str, Any], message: str) -> tuple[str, str]:
    match kind:
        case "string_type" if isinstance(value, int | float) and not isinstance(value, bool):
            return "must be a string", "put it in quotes"
        case _ if kind in _TYPES:
            return f"must be {_TYPES[kind]}", f"write {_TYPES[kind]}"
        case "greater_than_equal":
            return f"must be at least {context['ge']}", f"write {context['ge']} or more"
        case "less_than_equal":
            return f"must be at most {context['le']}", f"write {context['le']} or less"
        case "string_too_short":
            return "must not be empty", "write something or leave it out"
        case "string_too_long":
            return f"must have at most {_count(context['max_length'], 'character')}", "shorten it"
        case "too_short":
            return f"must have at least {_count(context['min_length'], 'item')}", "add one or leave it out"
        case "too_long":
            return f"must have at most {_count(context['max_length'], 'item')}", "remove some"
        case "literal_error" | "enum":
            return _choice(value, context["expected"])
        case _:
            return f"is refused: {one_line(message)}", "change it"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _choice(value: object, expected: str) -> tuple[str, str]:
    options = [option.strip("'") for option in expected.replace(" or ", ", ").split(", ")]
    if isinstance(value, bool):  # YAML reads Off, On, Yes and No as these
        return f"must be one of {', '.join(options)}", "write one of them, in quotes"
    near = _nearest(str(value)[:64], options)
    return f"must be one of {', '.join(options)}", f"write {near}" if near else "write one of them"


def _nearest(word: str, options: Iterable[str]) -> str | None:
    """The option that was probably meant: `onnx` or `Onnxruntim` for onnxruntime, `TYPE_FP32` for FP32."""
    by_lower = {option.lower(): option for option in options}
    close = get_close_matches(word.lower(), by_lower, n=1)
    inside = [lower for lower in by_lower if len(word) > 2 and (word.lower() in lower or lower in word.lower())]
    return next((by_lower[lower] for lower in [*close, *inside]), None)


def _path(root: str, location: Location) -> str:
    path = root
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            # The key of a map, such as nvidia.com/gpu, may hold anything.
            path += f".{part}" if part.isidentifier() else f"[{one_line(part)}]"
    return path


def _owner(model: type[BaseModel], location: Location) -> tuple[type[BaseModel] | None, str]:
    """The model whose member the location ends in, and the name of that member."""
    owner: type[BaseModel] | None = model
    named = [part for part in location if isinstance(part, str)]
    for part in named[:-1]:
        owner = _model_in(_members(owner)[part].annotation) if part in _members(owner) else None
    return owner, named[-1] if named else ""


def _members(owner: type[BaseModel] | None) -> dict[str, FieldInfo]:
    return {field.alias or name: field for name, field in owner.model_fields.items()} if owner else {}


def _model_in(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for argument in get_args(annotation) if (found := _model_in(argument))), None)


def _example(owner: type[BaseModel] | None, member: str) -> str:
    field = _members(owner).get(member)
    return f"{member}: {field.examples[0]}" if field and field.examples else ""


def _nearest_member(owner: type[BaseModel] | None, member: str) -> str:
    near = _nearest(member[:64], _members(owner))
    return f"write {near}" if near else "remove it"
