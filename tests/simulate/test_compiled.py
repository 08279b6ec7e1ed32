"""The cache of compiled code is thrown away when, and only when, what it is made of changes."""

from __future__ import annotations

import ast
from pathlib import Path

from foretide.simulate import compiled


def imported(file: Path) -> set[str]:
    """Modules of the package itself that a module imports."""
    nodes = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.ImportFrom) and node.module]
    prefix = "foretide.simulate."
    names = {node.module.removeprefix(prefix) for node in nodes if node.module and node.module.startswith(prefix)}
    names |= {alias.name for node in nodes if node.module == "foretide.simulate" for alias in node.names}
    return {f"{name}.py" for name in names if "." not in name}


def test_all_that_compiled_code_calls_or_takes_constants_from_counts() -> None:
    counted = {file.name for file in compiled.sources()}
    assert {"compiled.py", "engine.py", "fleet.py", "replica.py", "scrapes.py", "streams.py"} < counted
    for file in compiled.sources():
        assert imported(file) <= counted, file.name


def test_what_only_runs_it_does_not_count() -> None:
    counted = {file.name for file in compiled.sources()}
    assert counted.isdisjoint({"run.py", "capacity.py", "workload.py", "policies.py", "__main__.py"})
