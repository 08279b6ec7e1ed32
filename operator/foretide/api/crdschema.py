"""From pydantic's JSON schema to the structural schema of a CustomResourceDefinition."""

from typing import Any, Final

from pydantic import BaseModel

Schema = dict[str, Any]

_DROPPED: Final = ("$defs", "title", "examples")
_FIRST: Final = ("description", "type")
_LAST: Final = ("x-kubernetes-validations", "required", "properties", "additionalProperties", "items")


def structural(model: type[BaseModel]) -> Schema:
    """The schema of one model in the dialect of Kubernetes: no references, no unions, no closed objects."""
    schema = model.model_json_schema(by_alias=True)
    return _transformed(schema, schema.get("$defs", {}))


def _transformed(schema: Schema, definitions: dict[str, Schema]) -> Schema:
    schema = _inlined(schema, definitions)
    result = {key: value for key, value in schema.items() if key not in _DROPPED}
    if "description" in schema:  # a docstring of several lines is one paragraph
        result["description"] = " ".join(schema["description"].split())
    if "properties" in schema:
        members = schema["properties"].items()
        result["properties"] = {name: _transformed(member, definitions) for name, member in members}
        # The apiserver prunes fields it does not know; kubectl refuses them (--validate=strict is its default).
        result.pop("additionalProperties", None)
    elif "additionalProperties" in schema:
        result["additionalProperties"] = _transformed(schema["additionalProperties"], definitions)
    if "description" in schema:
        result["description"] = " ".join(schema["description"].split())  # its lines are those of the source
    if "items" in schema:
        result["items"] = _transformed(schema["items"], definitions)
    if "const" in result:  # a structural schema knows no such word
        result["enum"] = [result.pop("const")]
    if schema.get("x-kubernetes-int-or-string"):
        del result["type"]
    if "default" in schema:
        del result["default"]
        if (default := _told(schema["default"])) is not None:
            result["default"] = default
    return {key: result[key] for key in sorted(result, key=_reading_order)}


def _inlined(schema: Schema, definitions: dict[str, Schema]) -> Schema:
    """The schema itself in place of a reference and of `X or null`: a field of ours is left out, never null."""
    if "anyOf" in schema:
        present = [option for option in schema["anyOf"] if option != {"type": "null"}]
        if len(present) != 1:
            raise TypeError(f"a structural schema has no unions: {schema}")
        schema = {**present[0], **{key: value for key, value in schema.items() if key != "anyOf"}}
    if "$ref" in schema:
        target = definitions[schema["$ref"].removeprefix("#/$defs/")]
        schema = {**target, **{key: value for key, value in schema.items() if key != "$ref"}}
        return _inlined(schema, definitions)
    return schema


def _told(default: Any) -> Any:
    """The default without what says no more than absence: null, empty strings and lists, which would also break rules
    like minLength. A default object is written out in full, because CEL checks it before its members' own defaults.
    """
    if isinstance(default, dict):
        return {name: told for name, member in default.items() if (told := _told(member)) is not None}
    return None if default in ("", []) else default


def _reading_order(key: str) -> tuple[int, str]:
    """What it is, then its bounds, then its rules, then its members."""
    if key in _FIRST:
        return _FIRST.index(key) - len(_FIRST), ""
    return (1 + _LAST.index(key), "") if key in _LAST else (0, key)
