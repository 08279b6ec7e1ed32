"""The chart as its tests see it: values, schema, and the objects of the rendered manifest."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).resolve().parents[2]
CHART: Final = ROOT / "charts" / "foretide"
INSTALL: Final = ROOT / "manifests" / "install.yaml"

Object = dict[str, Any]


def values() -> Object:
    """The defaults of the chart."""
    loaded: Object = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    return loaded


def schema() -> Object:
    """The schema that Helm holds values against."""
    loaded: Object = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    return loaded


def objects(text: str) -> list[Object]:
    """The Kubernetes objects in a stream of YAML documents."""
    return [document for document in yaml.safe_load_all(text) if document]


def installed() -> list[Object]:
    """The objects of manifests/install.yaml."""
    return objects(INSTALL.read_text(encoding="utf-8"))


def only(found: list[Object], kind: str, name: str = "foretide-operator") -> Object:
    """The one object of that kind and name."""
    [match] = [each for each in found if each["kind"] == kind and each["metadata"]["name"] == name]
    return match


def table() -> Iterator[str]:
    """The rows of the table of values in the chart's README."""
    yield from _rows(schema(), values(), "")


def _rows(node: Object, default: Any, path: str) -> Iterator[str]:
    for name, member in node["properties"].items():
        if name == "global":
            continue
        below = f"{path}.{name}".removeprefix(".")
        if "properties" in member and "description" not in member:
            yield from _rows(member, default[name], below)
        else:
            shown = json.dumps(default[name])
            yield f"| `{below}` | `{shown}` | {member['description']} |"
