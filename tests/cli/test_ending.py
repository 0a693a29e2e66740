"""How the process ends: at once, or by a signal that comes before the command handles it."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.process import FREE_PORTS, environment

AT_ONCE = """
import threading
from corsproxy.cli.ending import leave
threading.Thread(target=threading.Event().wait).start()
leave(5)
"""

# The moments: a module is looked for, in the code itself or in a destructor, where an
# exception is lost; a file is replaced.
INTERRUPTED = """
import os, sys
number, moment, *sys.argv[1:] = sys.argv[1:]
def send(): os.kill(os.getpid(), int(number))
class Deleted:
    def __del__(self): send()
class Finder:
    def find_spec(self, name, *_):
        if name == moment: send()
        if f"{name} lost" == moment: Deleted()
def audit(event, _):
    if event == moment: send()
sys.meta_path.insert(0, Finder())
sys.addaudithook(audit)
from corsproxy.__main__ import main
main()
"""

FILE = "upstream: http://127.0.0.1:9\ncors:\n  allow_origins: [http://localhost:5173]\n"
SERVE = ("http://127.0.0.1:9", *FREE_PORTS)


def ended(program: str, *arguments: str, cwd: Path | None = None) -> tuple[int, str, str]:
    """The exit code and what was written, except for the ready lines."""
    ran = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=environment(),
        stdin=subprocess.DEVNULL,
        timeout=30,
        check=False,
    )
    return ran.returncode, ran.stdout, ran.stderr


def test_it_ends_at_once_whatever_its_threads_do() -> None:
    assert ended(AT_ONCE) == (5, "", "")


@pytest.mark.parametrize(
    ("number", "moment", "arguments"),
    [
        (signal.SIGINT, "click", SERVE),
        (signal.SIGTERM, "click", SERVE),
        (signal.SIGINT, "corsproxy.cli.serve lost", SERVE),
        (signal.SIGTERM, "uvloop", SERVE),
        (signal.SIGINT, "corsproxy.shell.run.engine lost", SERVE),
        (signal.SIGTERM, "click", ("demo",)),
        (signal.SIGINT, "aiohttp lost", ("demo",)),
    ],
)
def test_a_lasting_command_ends_as_after_a_drain(
    number: signal.Signals, moment: str, arguments: tuple[str, ...]
) -> None:
    assert ended(INTERRUPTED, str(int(number)), moment, *arguments) == (0, "", "")


@pytest.mark.parametrize(
    ("moment", "arguments", "code"),
    [
        ("contextlib", SERVE, 0),
        ("contextlib", ("check",), 130),
        ("click", ("check",), 130),
        ("click lost", ("check",), 130),
        ("yaml", ("check",), 130),
        ("os.rename", ("allow", "origin", "https://app.example.com"), 130),
    ],
)
def test_ctrl_c_ends_quietly_and_leaves_nothing_behind(
    tmp_path: Path, moment: str, arguments: tuple[str, ...], code: int
) -> None:
    (tmp_path / "corsproxy.yaml").write_text(FILE)
    found = ended(INTERRUPTED, str(int(signal.SIGINT)), moment, *arguments, cwd=tmp_path)
    assert (found[0], found[2]) == (code, "")
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [
        ("corsproxy.yaml", FILE)
    ]


def test_a_background_job_of_a_shell_ignores_ctrl_c(tmp_path: Path) -> None:
    (tmp_path / "corsproxy.yaml").write_text(FILE)
    ignoring = f"import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n{INTERRUPTED}"
    code, _, err = ended(ignoring, str(int(signal.SIGINT)), "click", "check", cwd=tmp_path)
    assert (code, err) == (0, "")
