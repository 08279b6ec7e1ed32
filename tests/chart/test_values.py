"""The chart's values are described once, and completely: values.yaml, its schema and the README agree."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.chart import charts


def _objects(node: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    if "properties" in node:
        yield path, node
    for name, member in node.get("properties", {}).items():
        yield from _objects(member, f"{path}.{name}")
    if "items" in node:
        yield from _objects(node["items"], f"{path}[]")


@pytest.mark.parametrize(("path", "node"), list(_objects(charts.schema(), "values")))
def test_every_object_is_closed_so_that_a_misspelt_value_is_refused(path: str, node: dict[str, Any]) -> None:
    assert node["additionalProperties"] is False


def test_the_schema_knows_exactly_the_values_there_are() -> None:
    def names(node: dict[str, Any], default: Any) -> Any:
        if "properties" not in node:
            return True
        return {name: names(member, default[name]) for name, member in node["properties"].items() if name in default}

    def given(default: Any, node: dict[str, Any]) -> Any:
        if "properties" not in node:
            return True
        return {name: given(member, node["properties"][name]) for name, member in default.items()}

    assert names(charts.schema(), charts.values()) == given(charts.values(), charts.schema())
    assert set(charts.schema()["properties"]) - set(charts.values()) == {"global"}


def test_the_readme_has_every_value() -> None:
    readme = (charts.CHART / "README.md").read_text(encoding="utf-8").splitlines()
    assert [line for line in readme if line.startswith("| `")] == list(charts.table())
