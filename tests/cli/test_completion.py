"""Completion scripts, and their suggestions."""

import asyncio

import pytest

from tests.process import finished


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
async def test_there_is_a_script_for_each_shell(shell: str) -> None:
    code, out, err = await finished("completion", shell)
    assert (code, err) == (0, "")
    assert "_CORSPROXY_COMPLETE" in out


async def test_bash_can_read_its_script() -> None:
    _, script, _ = await finished("completion", "bash")
    bash = await asyncio.create_subprocess_exec("bash", "-n", stdin=asyncio.subprocess.PIPE)
    await bash.communicate(script.encode())
    assert bash.returncode == 0


async def test_commands_are_completed() -> None:
    env = {
        "_CORSPROXY_COMPLETE": "bash_complete",
        "COMP_WORDS": "corsproxy ex",
        "COMP_CWORD": "1",
    }
    _, out, _ = await finished(env=env)
    assert set(out.split()) == {"plain,explain", "plain,export"}
