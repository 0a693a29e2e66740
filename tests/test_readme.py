"""The README tells the truth: its files are read, its commands are run, its tables compared."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from corsproxy.cli.main import COMMANDS
from corsproxy.config.reader import read_policy
from corsproxy.core.to_client import BOUND_TO_THE_UPSTREAM
from corsproxy.core.verdicts import FACTS
from tests.process import PROJECT, environment

README = (PROJECT / "README.md").read_text(encoding="utf-8")
FILES = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
CONSOLES = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
SHELLS = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)


def transcript(console: str) -> list[tuple[str, str]]:
    """Return the commands of a console block, each with the output it shows."""
    parts = re.split(r"(?m)^\$ corsproxy (.*)\n", console)[1:]
    return list(zip(parts[::2], parts[1::2], strict=True))


@pytest.mark.parametrize("text", FILES, ids=lambda text: text.split()[0])
def test_every_file_is_read_without_problems(text: str) -> None:
    assert read_policy(text, "corsproxy.yaml", {}, "/").warnings == ()


@pytest.mark.parametrize(
    ("arguments", "shown"), [line for console in CONSOLES for line in transcript(console)]
)
def test_every_command_says_what_is_shown(arguments: str, shown: str, tmp_path: Path) -> None:
    (tmp_path / "corsproxy.yaml").write_text(FILES[0], encoding="utf-8")
    result = subprocess.run(
        [sys.executable, "-m", "corsproxy", *arguments.split()],
        cwd=tmp_path,
        env=environment(PYTHONIOENCODING="utf-8"),
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=10,
    )
    beginning, ellipsis, _ = shown.partition("…\n")
    assert result.stderr == ""
    assert result.stdout.startswith(beginning)
    assert ellipsis or result.stdout == beginning


def test_commands_in_the_text_exist() -> None:
    named = set(re.findall(r"`corsproxy ([a-z]+)`", README))
    assert named <= set(COMMANDS)
    makefile = (PROJECT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"(?m)^make ([a-z]+)", "\n".join(SHELLS)):
        assert f"\n{target}:" in makefile


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (PROJECT / target).exists(), target


def test_every_status_of_ours_is_in_the_table() -> None:
    table = README.partition("| status | when |")[2].partition("\n\n")[0]
    listed = {int(number) for number in re.findall(r"\b[2-5]\d\d\b", table)}
    assert {facts.status for facts in FACTS.values()} - {0, 500} <= listed


def test_log_members_are_those_that_the_manual_describes() -> None:
    manual = (PROJECT / "deploy/OPERATING.md").read_text(encoding="utf-8")
    tables = manual.partition("\n## Logs\n")[2].partition("\n| event |")[0]
    first_cells = " ".join(re.findall(r"(?m)^\| (`[^|]*)\|", tables))
    sentence = README.partition("Logs are JSON lines")[2].partition(". ")[0]
    named = set(re.findall(r"`(\w+)`", sentence)) - {"request"}
    assert named == set(re.findall(r"`(\w+)`", first_cells))


def test_headers_that_are_dropped_are_named_with_the_way_back() -> None:
    sentence = README.partition("are\ndropped from responses: ")[2].partition(";")[0]
    named = {name.lower().encode() for name in re.findall(r"`([\w-]+)`", sentence)}
    assert named == BOUND_TO_THE_UPSTREAM
    rules = re.findall(r"`(response_headers: {set: .*?)`", README)
    assert len(rules) == 1
    text = f"routes:\n  - {{path: /, upstream: http://a.test, cors: passthrough, {rules[0]}}}\n"
    [route] = read_policy(text, "corsproxy.yaml", {}, "/").policy.routes
    assert {name.lower() for name, _ in route.response_headers.set} <= BOUND_TO_THE_UPSTREAM
