"""Which command is meant, and what all commands have in common."""

import gc
import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from corsproxy import __version__
from corsproxy.cli.commands import COMMANDS
from corsproxy.cli.main import cli
from tests.process import environment, finished

QUICK = [
    ["--version"],
    ["--help"],
    ["serve", "--help"],
    ["check"],
    ["explain", "--origin", "http://localhost:5173", "/"],
    ["schema"],
    ["export", "nginx"],
    ["health", "http://127.0.0.1:9"],
    ["drain", "http://127.0.0.1:9"],
]


CLEAN = "upstream: https://api.example.com\ncors:\n  allow_origins: [http://localhost:5173]\n"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments, prog_name="corsproxy")


def test_the_version() -> None:
    result = run("--version")
    assert result.exit_code == 0
    # Which of the two, tests/test_packaging.py and tests/test_compiled.py know.
    assert re.fullmatch(rf"corsproxy {__version__} \((compiled|pure Python)\)\n", result.output)


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_names_every_command(flag: str) -> None:
    result = run(flag)
    assert result.exit_code == 0
    assert all(f"  {name} " in result.output for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_and_variables_for_its_flags(name: str) -> None:
    result = run(name, "--help")
    assert result.exit_code == 0
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert command.help
    for parameter in command.params:
        is_flag = isinstance(parameter, click.Option) and parameter.name != "help"
        if is_flag and (name, parameter.name) not in WITHOUT_VARIABLE:
            assert str(parameter.envvar).startswith("CORSPROXY_"), parameter.name


# What may be a secret, and what means something else than the flag of `serve`.
WITHOUT_VARIABLE = {
    ("serve", "headers"),
    ("init", "headers"),
    ("explain", "headers"),
    ("explain", "origin"),
}


@pytest.mark.parametrize("flag", ["--host", "--bind"])
def test_flags_of_other_servers_suggest_listen(flag: str) -> None:
    result = run("https://api.example.com", flag, "3000")
    assert result.exit_code == 2
    assert "Did you mean '--listen'?" in result.output


@pytest.mark.parametrize(
    "arguments",
    [
        ["https://"],
        ["localhost", "-l", "nonsense"],
        ["localhost:3000", "-p", "x"],
        ["api.example.com", "--admin", "nonsense"],
        ["3000", "-p", "99999"],
        ["--listen", "nonsense"],
        ["-l", "nonsense"],
        ["--no-such-flag"],
        ["./corsproxy.yaml"],
        ["serve", "https://"],
    ],
    ids=" ".join,
)
def test_other_arguments_go_to_serve(arguments: list[str]) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert "Usage: corsproxy serve" in result.output


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("chekc", "check"), ("explian", "explain"), ("server", "serve"), ("helth", "health")],
)
def test_a_misspelt_command_is_recognised(typed: str, meant: str) -> None:
    result = run(typed)
    assert result.exit_code == 2
    assert f"Did you mean '{meant}'?" in result.output


def test_an_unknown_word_may_be_a_host() -> None:
    result = run("intranet")
    assert result.exit_code == 2
    assert "corsproxy https://intranet" in result.output


@pytest.mark.parametrize("arguments", QUICK, ids=" ".join)
def test_commands_without_a_server_answer_at_once(tmp_path: Path, arguments: list[str]) -> None:
    """They never import the server, which takes longer than all that they do."""
    (tmp_path / "corsproxy.yaml").write_text(CLEAN)
    # The machine may be busy with other things: of the processor's time the best of a few, and
    # more where the bare interpreter takes more than it does on a quiet machine.
    allowed = 0.3 * max(1.0, processor_time(["-c", "pass"], tmp_path) / 0.012)
    command = ["-m", "corsproxy", *arguments]
    assert any(processor_time(command, tmp_path) < allowed for _ in range(5))


def processor_time(arguments: list[str], directory: Path) -> float:
    """The seconds that Python runs on a processor with these arguments."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, *arguments],
        cwd=directory,
        env=environment(),
        capture_output=True,
        check=False,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


async def test_python_dash_m_is_the_command() -> None:
    assert await finished("--version") == (0, run("--version").output, "")


async def test_an_unencodable_character_is_not_a_failure(tmp_path: Path) -> None:
    (tmp_path / "corsproxy.yaml").write_text(CLEAN)
    arguments = ("explain", "--origin", "http://localhost:5173", "/")
    code, out, err = await finished(*arguments, cwd=tmp_path, env={"PYTHONIOENCODING": "latin-1"})
    assert (code, err) == (0, "")
    assert "\\u2713" in out


@pytest.mark.parametrize(
    "command",
    ["schema", "--help", "check --help", "check clean.yaml", "check broken.yaml", "test x.yaml"],
)
def test_a_closed_pipe_ends_every_command_alike(tmp_path: Path, command: str) -> None:
    (tmp_path / "clean.yaml").write_text(CLEAN)
    (tmp_path / "broken.yaml").write_text("upstream: 1\nupstreams: 2\n")
    reader, writer = os.pipe()
    os.close(reader)
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "corsproxy", *command.split()],
            cwd=tmp_path,
            env=environment(),
            stdout=writer,
            # `test` says what is wrong with a file on stderr, as with 2>&1.
            stderr=writer if command.startswith("test") else subprocess.PIPE,
            text=True,
            check=False,
        )
    finally:
        os.close(writer)
    assert (ended.returncode, ended.stderr or "") == (141, "")


@pytest.mark.parametrize(
    ("arguments", "advice", "never"),
    [
        ((), "corsproxy https://api.example.com", "explain"),
        (("check",), "(corsproxy check FILE)", "upstream"),
        (("check", "--fix"), "(corsproxy check FILE)", "upstream"),
        (("allow", "origin", "https://a.test"), "(corsproxy allow … -c FILE)", "upstream"),
        (("explain", "--origin", "https://a.test", "/"), "before the path", "allow"),
    ],
)
async def test_without_a_file_each_command_says_what_helps_it(
    tmp_path: Path, arguments: tuple[str, ...], advice: str, never: str
) -> None:
    code, out, err = await finished(*arguments, cwd=tmp_path)
    assert (code, out) == (2, "")
    first, second = err.splitlines()
    assert first == "corsproxy: there is no corsproxy.yaml in this directory"
    assert advice in second
    assert never not in second
    assert "corsproxy init" in second


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("schema", "no space left on device"),
        ("check corsproxy.yaml", "no space left on device"),
        ("--help", "no space left on device"),
        (
            "init x.yaml",
            "x.yaml was written, but standard output cannot be: no space left on device",
        ),
    ],
)
def test_unwritable_output_is_reported(tmp_path: Path, command: str, said: str) -> None:
    (tmp_path / "corsproxy.yaml").write_text(CLEAN)
    with open("/dev/full", "wb") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "corsproxy", *command.split()],
            cwd=tmp_path,
            env=environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert (ended.returncode, ended.stderr) == (3, f"corsproxy: {said}\n")
    assert (tmp_path / "x.yaml").exists() == command.startswith("init")


def test_a_deleted_working_directory_is_reported(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    command = f"rmdir {gone} && exec {sys.executable} -m corsproxy check - </dev/null"
    ended = subprocess.run(
        ["sh", "-c", command], cwd=gone, env=environment(), capture_output=True, text=True
    )
    assert (ended.returncode, ended.stderr) == (3, "corsproxy: no such file or directory\n")


@pytest.mark.parametrize(("name", "collects"), [("serve", True), ("demo", True), ("check", False)])
def test_only_a_command_that_lasts_collects_garbage(name: str, collects: bool) -> None:
    gc.disable()
    try:
        assert cli.get_command(click.Context(cli), name) is not None
        assert gc.isenabled() is collects
    finally:
        gc.enable()
