"""Running out of descriptors, and of disk space for the log."""

import asyncio
import json
import resource
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import CutShortError, get
from tests.peers import DEADLINE_SECONDS, RawPeer, answers, until
from tests.process import FREE_PORTS, environment
from tests.running import OK, Running, ask, file_for, port_of, running

# Fewer than the clients that come.
FEW = (
    "-c",
    """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))
from corsproxy.cli.main import main
main()
""",
)
LIMIT = "limits:\n  connections: 1000\n"


async def test_clients_with_all_descriptors_cannot_block_probes(tmp_path: Path) -> None:
    async with (
        RawPeer(answers(OK)) as upstream,
        running(upstream, tmp_path, LIMIT, program=FEW) as proxy,
    ):
        warning = next(each for each in proxy.command.events if each["event"] == "warning")
        assert (warning["code"], warning["line"]) == ("too-few-descriptors", 6)
        assert "1000" in warning["message"]
        for _ in range(300):
            with suppress(ConnectionError):
                await proxy.connect()
        for _ in range(20):
            for path in ("/livez", "/readyz", "/metrics"):
                assert (await proxy.admin(path)).status == 200
        await proxy.close()
        async with asyncio.timeout(DEADLINE_SECONDS):
            # Until it has noticed that they have gone.
            while not await is_served(proxy):
                pass


async def is_served(proxy: Running) -> bool:
    with suppress(ConnectionError, CutShortError):
        return (await proxy.ask(get())).status == 200
    return False


@pytest.mark.parametrize("workers", [(), ("--workers", "2")], ids=["one process", "workers"])
async def test_a_full_disk_loses_only_whole_lines_and_counts_them(
    tmp_path: Path, workers: tuple[str, ...]
) -> None:
    """A limit of the file's size does what a full disk does, and can be lifted."""
    log = tmp_path / "log"
    async with RawPeer(answers(OK)) as upstream:
        (tmp_path / "corsproxy.yaml").write_text(file_for(upstream))
        with log.open("wb") as stdout:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "corsproxy", *FREE_PORTS, *workers),
                cwd=tmp_path,
                env=environment(),
                stdout=stdout,
                stderr=asyncio.subprocess.DEVNULL,
            )
        try:
            await until(lambda: bool(events(log)))
            port = port_of(events(log)[0]["listen"][0])
            limit(process.pid, 2000)
            for _ in range(50):
                assert (await ask(port, get())).status == 200
            # Until those lines have come to the end of the file.
            await until(lambda: log.stat().st_size > 1500)
            full = len(events(log))
            limit(process.pid, resource.RLIM_INFINITY)
            for _ in range(2):
                assert (await ask(port, get())).status == 200
            await until(lambda: counted(log) == 52)
        finally:
            process.terminate()
            assert await process.wait() == 0
    assert full < 30


def counted(log: Path) -> int:
    """The lines about requests that the log has or says to be lost."""
    told = events(log)
    lost = [int(each["count"]) for each in told if each["event"] == "lines-dropped"]
    return sum(lost) + [each["event"] for each in told].count("request")


def limit(pid: int, size: int) -> None:
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def events(log: Path) -> list[dict[str, Any]]:
    """What stands in the log, every line of it whole."""
    content = log.read_bytes()
    assert content == b"" or content.endswith(b"\n")
    return [json.loads(line) for line in content.splitlines()]
