"""The site of the documentation: `make docs`, once, strictly; and what it must not do."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from manifests import site_links
from tests.docs.blocks import ROOT


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", f"--site-dir={folder}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.timeout(300)
def test_every_page_is_built(site: Path) -> None:
    missing = [
        page
        for page in ROOT.glob("docs/**/*.md")
        if not (site / page.relative_to(ROOT / "docs")).with_suffix(".html").exists()
    ]
    assert missing == []
    for page in ("index.html", "examples/index.html", "charts/foretide/index.html", "CONTRIBUTING.html"):
        assert (site / page).exists()
    assert (site / "examples" / "gallery" / "fraud.yaml").exists(), "files that pages lead to"


@pytest.mark.timeout(300)
def test_the_site_asks_no_other_server_for_anything(site: Path) -> None:
    for page in site.rglob("*.html"):
        loaded = re.findall(r'<(?:script|link|img)\b[^>]*?(?:src|href)="?(https?://[^">\s]+)', page.read_text())
        assert loaded == [], page


def test_links_between_places_of_the_repository() -> None:
    text = "[a](../README.md#see-it-work) [b](alerts.md) [c](../examples/gallery/README.md) ![d](pictures/flow.svg)"
    assert site_links.rewritten(text, "docs/quick-start.md") == (
        "[a](index.md#see-it-work) [b](alerts.md) [c](examples/gallery/README.md) ![d](pictures/flow.svg)"
    )
    assert site_links.rewritten("[a](../../docs/cli.md) [b](a.yaml)", "examples/gallery/README.md") == (
        "[a](../../cli.md) [b](a.yaml)"
    )
    fenced = "```bash\nls [a](../README.md)\n```\n"
    assert site_links.rewritten(fenced, "docs/x.md") == fenced


def test_every_runbook_is_in_the_navigation() -> None:
    listed = re.findall(r"runbooks/(\w+)\.md", (ROOT / "mkdocs.yml").read_text())
    assert listed == sorted(path.stem for path in ROOT.glob("docs/runbooks/*.md"))
