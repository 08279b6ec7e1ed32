"""The command line as a whole: help that teaches, its page, completion, and no stack trace for anybody's mistake."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import typer

from foretide.cli import completion, reference
from foretide.cli.app import app
from foretide.cli.exits import Exit
from foretide.cli.main import main
from tests.cli import examples
from tests.cli.conftest import CommandLine
from tests.cli.server import ApiServer

ROOT = Path(__file__).parents[2]
GROUP: Any = typer.main.get_command(app)
COMMANDS = sorted(GROUP.commands)


def test_the_page_is_what_help_says(run: CommandLine) -> None:
    page = (ROOT / "docs/cli.md").read_text()
    assert page == reference.with_reference(page), "run `make pages`"
    assert run("crds", "--help", cluster=False).out.rstrip() in page


@pytest.mark.parametrize("name", COMMANDS)
def test_help_teaches_with_an_example_that_can_be_parsed(name: str, run: CommandLine) -> None:
    ended = run(name, "--help", cluster=False)
    assert ended.code == Exit.OK
    lines = [line.split("#")[0].split("|")[0].strip() for line in ended.out.partition("Examples:")[2].splitlines()]
    shown = [line.removeprefix("kubectl foretide ").split() for line in lines if line.startswith("kubectl foretide")]
    assert shown
    for command, *arguments in shown:
        assert command == name
        GROUP.commands[name].make_context(name, arguments)  # raises for an option that there is not


def test_commands_of_readme_and_page_can_be_parsed() -> None:
    text = (ROOT / "README.md").read_text() + (ROOT / "docs/cli.md").read_text()
    shown = re.findall(r"^\$? ?kubectl foretide ([a-z]+)(.*)$", text, re.MULTILINE)
    assert {command for command, _ in shown} >= {"status", "explain", "plan", "backtest", "doctor"}
    for command, rest in shown:
        GROUP.commands[command].make_context(command, rest.split("#")[0].split("|")[0].split())


def test_help_needs_neither_a_cluster_nor_its_client() -> None:
    code = "import sys; from foretide.cli.main import main; main(['--help']); print('kubernetes.aio' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("False\n")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["stauts"], "No such command"),
        (["explain"], "Missing argument"),
        (["status", "--frob"], "No such option: --frob"),
        (["plan"], "Missing option"),
        (["plan", "-f", "x", "--fail-over-cost", "much"], "should be a valid number"),
        (["status", "-o", "yml"], "'--output' / '-o': 'yml' is not one of"),
    ],
)
def test_what_cannot_be_parsed_is_one_line(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == Exit.MISTAKE
    err = capsys.readouterr().err
    assert says in err
    assert len(err.splitlines()) == 1
    assert err.rstrip().endswith("--help")


def test_ctrl_c_and_a_fault_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    def ended_by(error: BaseException) -> int:
        def raising(**_: Any) -> None:
            raise error

        monkeypatch.setattr("foretide.cli.definitions.print_crds", raising)
        return main(["crds"])

    assert ended_by(KeyboardInterrupt()) == Exit.INTERRUPTED
    with pytest.raises(ZeroDivisionError):
        ended_by(ZeroDivisionError())


def test_no_colours_into_a_pipe_nor_where_they_are_not_wanted(cluster: ApiServer, run: CommandLine) -> None:
    cluster.services(examples.service())
    assert "\x1b" not in run("status").out + run("status", "ranker").out + run("explain", "ranker").out


def test_a_closed_pipe_is_no_fault() -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    code = f"{sys.executable} -m foretide.cli crds | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] == "0"


def complete(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    capsys.readouterr()
    assert completion.main(arguments) == 0
    return capsys.readouterr().out.splitlines()


def test_kubectl_completes_commands_options_and_services(
    cluster: ApiServer, run: CommandLine, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.services(examples.service(), examples.service("reader"))
    at = ("--kubeconfig", str(run.kubeconfig))
    assert complete(capsys, "") == [*COMMANDS, ":4"]
    assert complete(capsys, "ex") == ["explain", ":4"]
    assert complete(capsys, "status", "--all") == ["--all-namespaces", ":4"]
    assert complete(capsys, "status", *at, "ra") == ["ranker", ":4"]
    assert complete(capsys, "status", *at, "-n", "other", "ra") == [":4"]
    assert complete(capsys, "plan", *at, "ra") == [":4"]
    assert complete(capsys, "plan", "-f", "") == [":0"]
    assert complete(capsys, "status", *at, "--context", "gone", "ra") == [":4"]
    assert complete(capsys, "nothing", "x") == [":4"]


def test_programs_are_where_the_project_says() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    for name in ("kubectl-foretide", "kubectl_complete-foretide"):
        where, _, function = scripts[name].partition(":")
        assert callable(getattr(import_module(where), function))
