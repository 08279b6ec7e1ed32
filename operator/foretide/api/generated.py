"""Files that are made from code: written, or only compared."""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path


def keep(wanted: Mapping[Path, str], *, check: bool, fix: str) -> int:
    """Write the files that say something else, or with `check` only name them; the exit status is 1 if there are any.

    `fix` is the command that writes them.
    """
    outdated = [path for path, text in wanted.items() if not _holds(path, text)]
    for path in outdated:
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted[path], encoding="utf-8")
        sys.stdout.write(f"{path}: {f'out of date; run {fix}' if check else 'written'}\n")
    return 1 if check and outdated else 0


def keep_page(
    arguments: Sequence[str] | None, *, module: str, about: str | None, file: str, rendered: Callable[[], str]
) -> int:
    """The command of one page of docs/: `python -m MODULE [--check] [FILE]`; its exit status."""
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=about)
    parser.add_argument("file", nargs="?", default=file, type=Path, help=f"default: {file}")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the page is not up to date")
    options = parser.parse_args(arguments)
    return keep({options.file: rendered()}, check=options.check, fix="make pages")


def _holds(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text
