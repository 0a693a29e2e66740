"""How optional packages are installed: run in environments of each kind."""

import subprocess
import venv
from pathlib import Path

import pytest

SAY = """
from corsproxy.shell.system.packages import installing
print(installing("h2"), installing("h2", newer=True), sep=" | ")
"""


@pytest.mark.parametrize(
    ("has_pip", "has_metadata", "commands"),
    [
        (True, False, "{python} -m pip install h2 | {python} -m pip install -U h2"),
        (
            False,
            False,
            "uv pip install --python {python} h2 | uv pip install -U --python {python} h2",
        ),
        (False, True, "pipx inject corsproxy h2 | pipx inject --force corsproxy h2"),
    ],
)
def test_the_command_fits_the_installation(
    tmp_path: Path, *, has_pip: bool, has_metadata: bool, commands: str
) -> None:
    home = tmp_path / "corsproxy"
    venv.create(home, symlinks=True)
    [site] = home.glob("lib/python*/site-packages")
    if has_pip:
        (site / "pip").mkdir()
        (site / "pip" / "__init__.py").touch()
    if has_metadata:
        (home / "pipx_metadata.json").touch()
    python = home / "bin" / "python"
    said = subprocess.run(
        [python, "-c", SAY],
        env={"PYTHONPATH": str(Path(__file__).parents[3])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == commands.format(python=python) + "\n"
