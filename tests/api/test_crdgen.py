"""The CustomResourceDefinitions in the tree are the models', and bounded so that their rules stay cheap."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from foretide.api import crdgen
from foretide.api.crdenvelope import definitions
from foretide.api.crdschema import structural
from foretide.api.fields import Fields

_ROOT = Path(__file__).parents[2]
_SCHEMAS = {name: crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"] for name, crd in definitions().items()}


def _nodes(schema: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, schema
    for name, member in schema.get("properties", {}).items():
        if not (path == "" and name == "metadata"):
            yield from _nodes(member, f"{path}.{name}")
    for word in ("items", "additionalProperties"):
        if word in schema:
            yield from _nodes(schema[word], f"{path}[]")


_NODES = [
    pytest.param(path, node, id=f"{name.split('.')[0]}{path}")
    for name, schema in _SCHEMAS.items()
    for path, node in _nodes(schema, "")
    if path not in ("", ".apiVersion", ".kind")
]


def test_the_files_in_the_tree_are_up_to_date(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(_ROOT)
    assert crdgen.main(["--check"]) == 0


def test_check_fails_on_a_difference_and_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert crdgen.main([str(tmp_path)]) == 0
    assert crdgen.main([str(tmp_path), "--check"]) == 0
    changed = tmp_path / "foretide.dev_hardwareclasses.yaml"
    changed.write_text("edited by hand\n", encoding="utf-8")
    capsys.readouterr()
    assert crdgen.main([str(tmp_path), "--check"]) == 1
    assert "foretide.dev_hardwareclasses.yaml: out of date" in capsys.readouterr().out
    assert changed.read_text(encoding="utf-8") == "edited by hand\n"


def test_the_text_says_what_the_definitions_say() -> None:
    assert [yaml.safe_load(text) for text in crdgen.rendered().values()] == list(definitions().values())
    assert all("&id" not in text and "{{" not in text for text in crdgen.rendered().values())


@pytest.mark.parametrize(("path", "node"), _NODES)
def test_every_field_is_described_and_bounded(path: str, node: dict[str, Any]) -> None:
    if not path.endswith("[]"):
        assert len(node["description"]) > 10
        assert "\n" not in node["description"]
    kind = node.get("type", "string" if node.get("x-kubernetes-int-or-string") else None)
    if kind == "string":
        assert "maxLength" in node or "enum" in node
    elif kind == "array":
        assert "maxItems" in node
        assert node["x-kubernetes-list-type"] in ("map", "atomic")
    elif kind == "integer":
        assert "minimum" in node
    elif kind == "object" and "additionalProperties" in node:
        assert "maxProperties" in node
    else:
        assert kind in ("object", "boolean")


@pytest.mark.parametrize(("path", "node"), _NODES)
def test_every_rule_has_a_message_in_words(path: str, node: dict[str, Any]) -> None:
    for rule in node.get("x-kubernetes-validations", ()):
        assert rule["message"].startswith("must")
        assert "; " in rule["message"]
        assert ".format([" in rule["messageExpression"]
        # the message is a part of that format, where a percent sign is written twice
        assert rule["message"].replace("%", "%%").replace("'", "\\'") in rule["messageExpression"]


def test_no_pattern_speaks_to_users_in_regular_expressions() -> None:
    assert not any('"pattern"' in json.dumps(schema) for schema in _SCHEMAS.values())


def test_status_is_a_subresource_and_scale_is_not() -> None:
    versions = {name: crd["spec"]["versions"][0] for name, crd in definitions().items()}
    assert versions["inferenceservices.foretide.dev"]["subresources"] == {"status": {}}
    assert [name for name, version in versions.items() if "subresources" in version] == [
        "inferenceservices.foretide.dev"
    ]


def test_names_are_those_of_the_documentation() -> None:
    described = [(crd["spec"]["names"], crd["spec"]["scope"]) for crd in definitions().values()]
    assert [(names["kind"], names["shortNames"], scope) for names, scope in described] == [
        ("InferenceService", ["infer"], "Namespaced"),
        ("HardwareClass", ["hwc"], "Cluster"),
        ("ScalingPolicy", ["scp"], "Namespaced"),
        ("ModelProfile", ["mprof"], "Namespaced"),
    ]
    assert {category for names, _ in described for category in names["categories"]} == {"foretide"}


def test_columns_are_those_of_the_documentation() -> None:
    columns = definitions()["inferenceservices.foretide.dev"]["spec"]["versions"][0]["additionalPrinterColumns"]
    assert [(column["name"], column.get("priority", 0)) for column in columns] == [
        ("Ready", 0),
        ("Replicas", 0),
        ("Desired", 0),
        ("Class", 0),
        ("Reason", 0),
        ("URL", 1),
        ("Age", 0),
    ]


class _Union(Fields):
    either: int | str = 0


def test_a_union_has_no_place_in_a_structural_schema() -> None:
    with pytest.raises(TypeError, match="no unions"):
        structural(_Union)
