"""Hook of MkDocs: links of the pages lead where they lead in the repository.

A page is read in a checkout, too, so its links are those of files: `../examples/quickstart/quickstart.yaml`. The site
has the pages of docs/ at its root, README.md as its first page, and each file outside of docs/ that a page leads to
under its own path. `mkdocs build --strict` then fails for a link that leads nowhere.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Final

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT: Final = Path(__file__).resolve().parents[1]
DOCS: Final = "docs/"
FRONT: Final = "README.md"
BESIDE: Final = (
    FRONT,
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "charts/foretide/README.md",
    "examples/**/*.*",
    "manifests/gitops/*",
)
_FENCED: Final = re.compile(r"(^ *```.*?^ *```$)", re.MULTILINE | re.DOTALL)
_LINK: Final = re.compile(r"\]\((?![a-z]+:|#)([^)\s#]+)(#[^)\s]*)?\)")


def place(path: str) -> str:
    """Where the site has a file of the repository."""
    return "index.md" if path == FRONT else path.removeprefix(DOCS)


def origin(uri: str) -> str:
    """The file of the repository that the site has there."""
    if uri == "index.md":
        return FRONT
    return uri if (ROOT / uri).exists() else DOCS + uri


def rewritten(markdown: str, page: str) -> str:
    """The text of a page of the repository with its links as the site needs them."""
    parts = _FENCED.split(markdown)
    here = posixpath.dirname(place(page)) or "."

    def moved(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(page), link[1]))
        if (ROOT / target).is_dir():
            target += f"/{FRONT}"
        return f"]({posixpath.relpath(place(target), here)}{link[2] or ''})"

    return "".join(part if part.lstrip(" ").startswith("```") else _LINK.sub(moved, part) for part in parts)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds what lies beside docs/."""
    for path in sorted(path for pattern in BESIDE for path in ROOT.glob(pattern)):
        uri = place(path.relative_to(ROOT).as_posix())
        files.append(File.generated(config, uri, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Moves the links of one page."""
    return rewritten(markdown, origin(page.file.src_uri))
