"""`make test-compiled` really tests compiled modules."""

import subprocess
import sys
import tomllib
from importlib import import_module
from importlib.machinery import EXTENSION_SUFFIXES

import pytest

from corsproxy import __version__
from tests.process import PROJECT, environment

pytestmark = pytest.mark.compiled


def listed() -> list[str]:
    """The modules that pyproject.toml has compiled, by their names."""
    text = (PROJECT / "pyproject.toml").read_text(encoding="utf-8")
    hook = tomllib.loads(text)["tool"]["hatch"]["build"]["targets"]["wheel"]["hooks"]["custom"]
    paths = {path for pattern in hook["compile"] for path in PROJECT.glob(pattern)}
    paths -= {PROJECT / name for name in hook["interpret"]}
    return sorted(
        ".".join(path.relative_to(PROJECT).with_suffix("").parts)
        for path in paths
        if path.name != "__init__.py"
    )


@pytest.mark.parametrize("name", listed())
def test_each_module_runs_compiled(name: str) -> None:
    file = import_module(name).__file__
    assert file is not None
    assert file.startswith(str(PROJECT))
    assert file.endswith(tuple(EXTENSION_SUFFIXES))


def test_the_command_says_so() -> None:
    said = subprocess.run(
        [sys.executable, "-m", "corsproxy", "--version"],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == f"corsproxy {__version__} (compiled)\n"
