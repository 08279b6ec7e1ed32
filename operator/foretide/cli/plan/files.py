"""YAML documents with the place of everything in them, and what is wrong with them."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import yaml

from foretide.api import group, parse
from foretide.api.hardwareclass import HardwareClass
from foretide.api.inferenceservice import InferenceService
from foretide.api.modelprofile import ModelProfile
from foretide.api.problems import Problems
from foretide.api.scalingpolicy import ScalingPolicy
from foretide.cli.exits import Stop

Typed = InferenceService | HardwareClass | ScalingPolicy | ModelProfile
Raw = dict[str, Any]

PARSERS: Final[Mapping[str, Callable[[Mapping[str, object]], Typed | Problems]]] = MappingProxyType(
    {
        group.INFERENCE_SERVICE_KIND: parse.inference_service,
        group.HARDWARE_CLASS_KIND: parse.hardware_class,
        group.SCALING_POLICY_KIND: parse.scaling_policy,
        group.MODEL_PROFILE_KIND: parse.model_profile,
    }
)
STDIN: Final = "-"
_STEP: Final = re.compile(r"[^.\[\]]+")


@dataclass(frozen=True, slots=True)
class Wrong:
    """One broken rule, and where."""

    file: str
    line: int
    column: int
    sentence: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.sentence}"


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """One object of a file."""

    file: str
    raw: Raw
    node: yaml.Node

    @property
    def name(self) -> str:
        metadata = self.raw.get("metadata")
        return f"{self.raw.get('kind', '?')}/{metadata.get('name', '?') if isinstance(metadata, dict) else '?'}"

    def wrong(self, field: str, sentence: str) -> Wrong:
        """The sentence at the place of the field, or of the deepest part of it that is there."""
        node = self.node
        for step in _STEP.findall(field):
            inner = _child(node, step)
            if inner is None:
                break
            node = inner
        mark = node.start_mark
        return Wrong(self.file, mark.line + 1, mark.column + 1, sentence)


@dataclass(frozen=True, slots=True)
class Files:
    """All documents: ours that keep every rule, what is wrong with the others, and what is not ours."""

    good: tuple[tuple[Document, Typed], ...]
    wrong: tuple[Wrong, ...]
    others: tuple[str, ...]


def texts_of(names: Sequence[str]) -> list[tuple[str, str]]:
    """Name and text of the files, of those in folders, and of stdin; raises Stop for what cannot be read."""
    texts = [each for name in names for each in _texts(name)]
    if not any(text.strip() for _, text in texts):
        raise Stop(f"-f: {', '.join(names)} is empty; name a file with the objects to plan")
    return texts


def read(texts: Sequence[tuple[str, str]], *, namespace: str) -> Files:
    """All documents; objects without a namespace are put into that one."""
    good: list[tuple[Document, Typed]] = []
    wrong: list[Wrong] = []
    others: list[str] = []
    for file, text in texts:
        try:
            documents = _documents(file, text)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
            wrong.append(Wrong(file, line, column, f"is not YAML: {getattr(error, 'problem', None) or error}"))
            continue
        for document in documents:
            parser = PARSERS.get(str(document.raw.get("kind")))
            if document.raw.get("apiVersion") != group.API_VERSION or parser is None:
                if str(document.raw.get("apiVersion", "")).startswith(f"{group.GROUP}/"):
                    said = f"{document.raw.get('apiVersion')} {document.raw.get('kind')}"
                    sentence = f"{said} is not of {group.API_VERSION}; its kinds are {', '.join(PARSERS)}"
                    wrong.append(document.wrong("kind", sentence))
                else:
                    others.append(document.name)
                continue
            _placed(document.raw, namespace)
            parsed = parser(document.raw)
            if isinstance(parsed, Problems):
                wrong += [document.wrong(one.field, f"{document.name}: {one.sentence}") for one in parsed.items]
            else:
                good.append((document, parsed))
    return Files(tuple(good), tuple(wrong), tuple(others))


def _texts(name: str) -> list[tuple[str, str]]:
    if name == STDIN:
        return [("<stdin>", sys.stdin.read())]
    path = Path(name)
    try:
        files = (
            sorted(each for each in path.rglob("*") if each.suffix in (".yaml", ".yml")) if path.is_dir() else [path]
        )
        found = [(str(file), file.read_text(encoding="utf-8")) for file in files]
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise Stop(f"-f: {name} cannot be read ({why}); name a YAML file, a folder of such, or - for stdin") from error
    if not found:
        raise Stop(f"-f: {name} has no file that ends in .yaml or .yml; name another folder, or a file")
    return found


def _documents(file: str, text: str) -> list[Document]:
    loader, found = yaml.SafeLoader(text), []
    try:
        while loader.check_node() and (node := loader.get_node()) is not None:
            raw = loader.construct_document(node)
            if isinstance(raw, dict):
                found.append(Document(file, raw, node))
            elif raw is not None:
                raise yaml.MarkedYAMLError(problem="a document must be an object", problem_mark=node.start_mark)
    finally:
        loader.dispose()
    return found


def _placed(raw: Raw, namespace: str) -> None:
    if raw["kind"] != group.HARDWARE_CLASS_KIND and isinstance(raw.get("metadata"), dict):
        raw["metadata"].setdefault("namespace", namespace)


def _child(node: yaml.Node, step: str) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == step), None)
    if isinstance(node, yaml.SequenceNode) and step.isdecimal() and int(step) < len(node.value):
        inner: yaml.Node = node.value[int(step)]
        return inner
    return None
