"""The part of an apiserver that judges custom resources, in miniature, so that unit tests can ask it.

It covers the vocabulary of our own schemas and raises on any other word. Rules run in a real CEL evaluator; only
quantity() and format(), which the evaluator lacks, are stand-ins. e2e/test_crd_validation.py puts the same table of
specs before a real apiserver.
"""

from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import cache
from typing import Any, Final

import cel

from foretide.api.crdenvelope import definitions
from foretide.api.quantities import parse_quantity

Schema = dict[str, Any]

_WORDS: Final = """
description type default required properties additionalProperties items enum minimum maximum minLength maxLength
minItems maxItems maxProperties format x-kubernetes-int-or-string x-kubernetes-list-type x-kubernetes-list-map-keys
x-kubernetes-validations
"""
_KNOWN: Final = frozenset(_WORDS.split())
_TYPES: Final[dict[str, Callable[[Any], bool]]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: not isinstance(value, bool) and isinstance(value, int | float) and value == int(value),
}


@cache
def schema_of(kind: str) -> Schema:
    """The schema of a kind, as its CustomResourceDefinition has it."""
    found = next(crd for crd in definitions().values() if crd["spec"]["names"]["kind"] == kind)
    schema: Schema = found["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


def errors(raw: dict[str, Any]) -> list[str]:
    """What the apiserver says against an object, in its order: structure first, rules if the structure holds."""
    schema = schema_of(raw["kind"])
    defaulted = with_defaults(raw, schema)
    return list(_structure(defaulted, schema, "")) or list(_rules(defaulted, schema, ""))


def with_defaults(value: Any, schema: Schema) -> Any:
    """The value as the apiserver completes it: a null member is left out, an absent one gets its default."""
    if isinstance(value, dict):
        members, others = schema.get("properties", {}), schema.get("additionalProperties", {})
        missing = {name: member["default"] for name, member in members.items() if "default" in member}
        given = {name: member for name, member in value.items() if member is not None}
        return {name: with_defaults(member, members.get(name, others)) for name, member in {**missing, **given}.items()}
    if isinstance(value, list) and "items" in schema:
        return [with_defaults(item, schema["items"]) for item in value]
    return value


def _structure(value: Any, schema: Schema, path: str) -> Iterator[str]:
    if unknown := schema.keys() - _KNOWN:
        raise NotImplementedError(f"{path}: this miniature does not know {unknown}")
    types = ["integer", "string"] if schema.get("x-kubernetes-int-or-string") else [schema["type"]]
    if not any(_TYPES[name](value) for name in types):
        yield f"{path}: must be of type {','.join(types)}"
        return
    for word, broken in _BOUNDS.items():
        if word in schema and broken(value, schema[word]):
            yield f"{path}: breaks {word} {schema[word]}"
    yield from _members(value, schema, path)


def _members(value: Any, schema: Schema, path: str) -> Iterator[str]:
    if isinstance(value, list):
        keys = schema.get("x-kubernetes-list-map-keys")
        seen = [tuple(str(item.get(key)) for key in keys) for item in value if isinstance(item, dict)] if keys else []
        if len(seen) != len(set(seen)):
            yield f"{path}: Duplicate value"
        for index, item in enumerate(value):
            yield from _structure(item, schema["items"], f"{path}[{index}]")
    if isinstance(value, dict):
        for name in schema.get("required", ()):
            if name not in value:
                yield f"{path}.{name}: Required value"
        for name, member in value.items():
            if path == ".metadata":
                continue
            below = schema.get("properties", {}).get(name, schema.get("additionalProperties"))
            if below is None:
                yield f"{path}.{name}: unknown field"
            else:
                yield from _structure(member, below, f"{path}.{name}")


_BOUNDS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "enum": lambda value, allowed: value not in allowed,
    "minimum": lambda value, bound: value < bound,
    "maximum": lambda value, bound: value > bound,
    "minLength": lambda value, bound: isinstance(value, str) and len(value) < bound,
    "maxLength": lambda value, bound: isinstance(value, str) and len(value) > bound,
    "minItems": lambda value, bound: len(value) < bound,
    "maxItems": lambda value, bound: len(value) > bound,
    "maxProperties": lambda value, bound: len(value) > bound,
}


def _rules(value: Any, schema: Schema, path: str) -> Iterator[str]:
    for rule in schema.get("x-kubernetes-validations", ()):
        if not _evaluated(rule["rule"], value):
            where = f"{path}{rule.get('fieldPath', '')}: ".removeprefix(".").removeprefix(": ")
            yield f"{where}{_evaluated(rule['messageExpression'], value)}"
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _rules(item, schema["items"], f"{path}[{index}]")
    if isinstance(value, dict):
        for name, member in value.items():
            below = schema.get("properties", {}).get(name, schema.get("additionalProperties", {}))
            yield from _rules(member, below, f"{path}.{name}")


@cache
def _compiled(expression: str) -> cel.Program:
    return cel.compile(expression)


def _evaluated(expression: str, value: Any) -> Any:
    context = cel.Context()
    context.add_variable("self", value)
    context.add_function("format", lambda text, values: text % tuple(values))
    context.add_function("isQuantity", _is_quantity)
    context.add_function("quantity", lambda text: str(parse_quantity(text)))
    context.add_function("isGreaterThan", lambda left, right: Decimal(left) > Decimal(right))
    return _compiled(expression).execute(context)


def _is_quantity(text: str) -> bool:
    try:
        parse_quantity(text)
    except ValueError:
        return False
    return True
