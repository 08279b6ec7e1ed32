"""Writes docs/api-reference.md from the definitions: `python -m foretide.api.reference [--check] [FILE]`."""

import json
import sys
from collections.abc import Iterator, Sequence
from typing import Any, Final

from foretide.api import group
from foretide.api.conditions import ConditionType
from foretide.api.crdenvelope import definitions
from foretide.api.crdschema import Schema
from foretide.api.generated import keep_page
from foretide.api.reasons import Reason
from foretide.api.status import MOST_COUNT

_FILE: Final = "docs/api-reference.md"
_HEAD: Final = f"""\
# API reference
<!-- Generated from operator/foretide/api by `python -m foretide.api.reference`; do not edit. -->

Group `{group.GROUP}`, version `{group.VERSION}`, category `{group.CATEGORY}`: `kubectl get {group.CATEGORY} -A`
shows all of it. The API server refuses what breaks a rule of these tables, with a sentence that names field, value,
rule and fix; `kubectl explain infer.spec.slo` has the same texts.

- Numbers that are not whole are strings (`"0.53"`), durations are Go's with days (`100ms`, `1h30m`, `28d`), quantities
  are those of Kubernetes (`500m`, `16Gi`).
- **Required** fields are in bold. A field that is left out has its default; `null` is the same as left out.
- Nobody writes the `spec` but you. `status` is the operator's.
"""


def rendered() -> str:
    """The text of the page."""
    parts = [_HEAD]
    for document in definitions().values():
        parts += _kind(document)
    parts += ["## Conditions", "", *_conditions(), "", "## Reasons", "", *_reasons()]
    return "\n".join(parts).rstrip() + "\n"


def _kind(document: Schema) -> Iterator[str]:
    names, version = document["spec"]["names"], document["spec"]["versions"][0]
    schema = version["schema"]["openAPIV3Schema"]
    scope = {"Namespaced": "in a namespace", "Cluster": "of the whole cluster"}[document["spec"]["scope"]]
    yield f"## {names['kind']}"
    yield ""
    yield f"{schema['description']} {scope[0].upper()}{scope[1:]}; short name `{names['shortNames'][0]}`."
    yield ""
    for rule in (*_rules(schema), *_rules(schema["properties"]["spec"])):
        yield f"- {_rule(rule)}"
    yield ""
    for part in ("spec", "status"):
        if part in schema["properties"]:
            yield f"### {names['kind']} {part}"
            yield ""
            yield "| field | type | default | meaning |"
            yield "|---|---|---|---|"
            yield from _rows(schema["properties"][part], part)
            yield ""
    columns = version["additionalPrinterColumns"]
    shown, wide = (
        ", ".join(f"`{column['name']}`" for column in columns if bool(column.get("priority")) is wide)
        for wide in (False, True)
    )
    yield f"`kubectl get {names['shortNames'][0]}` shows {shown}{f'; with `-o wide` also {wide}' if wide else ''}."
    yield ""


def _rows(schema: Schema, path: str) -> Iterator[str]:
    required = schema.get("required", ())
    for name, member in schema.get("properties", {}).items():
        here = f"{path}.{name}"
        shown = f"**`{here}`**" if name in required else f"`{here}`"
        default = f"`{json.dumps(member['default'])}`" if member.get("default", {}) != {} else ""
        yield f"| {shown} | {_type(member)} | {_cell(default)} | {_cell(_meaning(member))} |"
        yield from _rows(member, here)
        yield from _rows(member.get("items", {}), f"{here}[]")


def _type(member: Schema) -> str:
    if "enum" in member:
        return " \\| ".join(f"`{value}`" for value in member["enum"])
    if "items" in member:
        return f"list of {_type(member['items'])}"
    if "additionalProperties" in member:
        return "map of " + _type(member["additionalProperties"])
    if member.get("x-kubernetes-int-or-string"):
        return "quantity"
    return str(member["type"])


def _meaning(member: Schema) -> str:
    """What it is, and within what: of lists and maps also what holds for each entry."""
    inner: Schema = member.get("items") or member.get("additionalProperties") or {}
    texts = [member.get("description", ""), _range(member), *map(_rule, (*_rules(member), *_rules(inner)))]
    return " ".join(dict.fromkeys(text for text in texts if text))


def _rules(member: Schema) -> Sequence[dict[str, Any]]:
    rules: Sequence[dict[str, Any]] = member.get("x-kubernetes-validations", ())
    return rules


def _rule(rule: dict[str, Any]) -> str:
    text = f"{rule['message']}."
    if "fieldPath" in rule:
        return f"`{rule['fieldPath'].lstrip('.')}`: {text}"
    return f"Must{text.removeprefix('must')}" if text.startswith("must") else text


def _range(member: Schema) -> str:
    low, high = member.get("minimum"), member.get("maximum")
    most = member.get("maxItems", member.get("maxProperties"))
    if low is not None:
        return f"{low} or more." if high in (None, MOST_COUNT) else f"{low} to {high:,}."
    return f"At most {most} of them." if most is not None else ""


def _cell(text: str) -> str:
    """Text as a cell of a table has it."""
    return " ".join(text.replace("|", "\\|").split())


def _conditions() -> Iterator[str]:
    yield "Positive is good, but for `Reconciling` (wait) and `Stalled` (a person must act), as kstatus has it:"
    yield ", ".join(f"`{kind}`" for kind in ConditionType) + "."


def _reasons() -> Iterator[str]:
    yield "What conditions, decisions and `status.hardware[]` give as the reason; the list is part of the API."
    yield ""
    yield "| reason | meaning |"
    yield "|---|---|"
    for reason in Reason:
        yield f"| `{reason}` | {_cell(reason.meaning)} |"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page, or with --check only compare; the exit status is 1 if it differs."""
    return keep_page(arguments, module="foretide.api.reference", about=__doc__, file=_FILE, rendered=rendered)


if __name__ == "__main__":
    sys.exit(main())
