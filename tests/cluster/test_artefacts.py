"""The cache: keys change with content and nothing else, and what exists is complete."""

from __future__ import annotations

from pathlib import Path

import pytest

from e2e.cluster.artefacts import Artefacts, key_of


def test_a_key_is_the_same_for_the_same_content(tmp_path: Path) -> None:
    first, second = tmp_path / "a" / "go.mod", tmp_path / "b" / "go.mod"
    for file in (first, second):
        file.parent.mkdir()
        file.write_text("module x")
    assert key_of(first, "flags") == key_of(second, "flags")


@pytest.mark.parametrize(("left", "right"), [(("a",), ("b",)), (("ab", "c"), ("a", "bc")), (("a", ""), ("a",))])
def test_keys_of_different_inputs_differ(left: tuple[str, ...], right: tuple[str, ...]) -> None:
    assert key_of(*left) != key_of(*right)


def test_the_key_of_a_folder_follows_names_and_content_but_not_byte_code(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.py").write_text("1")
    before = key_of(tmp_path)
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "a.pyc").write_text("x")
    assert key_of(tmp_path) == before
    (tmp_path / "sub" / "a.py").rename(tmp_path / "sub" / "b.py")
    assert key_of(tmp_path) != before


def test_an_artefact_is_made_once_and_older_ones_go(tmp_path: Path) -> None:
    artefacts = Artefacts(tmp_path)
    made = []

    def make(folder: Path) -> None:
        made.append(folder)
        (folder / "file").write_text("x")

    artefacts.ensure("thing", "old", make)
    assert artefacts.ensure("thing", "new", make) == artefacts.ensure("thing", "new", make)
    assert len(made) == 2
    assert [p.name for p in (tmp_path / "thing").iterdir()] == ["new"]


def test_a_build_that_was_cut_short_leaves_no_artefact_and_the_next_one_starts_clean(tmp_path: Path) -> None:
    artefacts = Artefacts(tmp_path)

    def fail(folder: Path) -> None:
        (folder / "half").write_text("x")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        artefacts.ensure("thing", "key", fail)
    assert not artefacts.has("thing", "key")
    folder = artefacts.ensure("thing", "key", lambda folder: None)
    assert list(folder.iterdir()) == []
    assert [p.name for p in (tmp_path / "thing").iterdir()] == ["key"]
