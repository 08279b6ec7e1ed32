"""The shape of the package: the source root, the size of modules, and names that say nothing."""

from __future__ import annotations

import importlib.util
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
SOURCE_ROOT: Final = ROOT / "operator"
PACKAGE: Final = SOURCE_ROOT / "foretide"
MODULES: Final = sorted(PACKAGE.rglob("*.py"))
MEDIAN_LINES, MOST_LINES = 150, 400
SAYING_NOTHING: Final = {"utils", "util", "helpers", "helper", "manager", "managers", "common", "misc", "base"}


def lines(module: Path) -> int:
    return len(module.read_text().splitlines())


def test_the_source_root_is_no_package() -> None:
    """With an `__init__.py` in it `import operator` would find ours instead of the standard library's."""
    assert not (SOURCE_ROOT / "__init__.py").exists()
    spec = importlib.util.find_spec("operator")
    assert spec is not None
    assert spec.origin is not None
    assert not Path(spec.origin).is_relative_to(ROOT)


def test_modules_are_small() -> None:
    sizes = {str(module.relative_to(PACKAGE)): lines(module) for module in MODULES}
    assert {name: size for name, size in sizes.items() if size > MOST_LINES} == {}
    assert statistics.median(size for name, size in sizes.items() if not name.endswith("__init__.py")) <= MEDIAN_LINES


def test_every_module_has_a_name_and_a_sentence_that_say_something() -> None:
    assert {module.stem for module in MODULES} & SAYING_NOTHING == set()
    silent = [str(module) for module in MODULES if lines(module) and not module.read_text().startswith('"""')]
    assert silent == []


def test_the_package_is_typed() -> None:
    assert (PACKAGE / "py.typed").exists()


def test_the_layers_hold() -> None:
    """import-linter with the contracts of pyproject.toml, in a process of its own."""
    program = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
