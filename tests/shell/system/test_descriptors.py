"""Running out of descriptors: reported, survived, and recovered from."""

import asyncio
import os
import re
import resource
import socket
import time
from contextlib import suppress
from pathlib import Path

import pytest

from corsproxy.shell.system.descriptors import DescriptorWatch, can_open, raised_limit
from tests.fakes import CutShortError, get
from tests.peers import RawPeer, answers, settled, until
from tests.policies import PAGE
from tests.process import FREE_PORTS, started
from tests.running import OK, Running, running, workers_of

FEW = 64
# Those that the proxy does not know of, so that it runs out.
HELD = 38
MORE = 1500


def limited(soft: int, hard: int, held: int = 0) -> tuple[str, str]:
    """The command, started by a shell with these limits, and with some descriptors in use."""
    limit = (
        f"import os, resource, sys; resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))"
    )
    hold = f"[os.set_inheritable(os.open('/dev/null', os.O_RDONLY), True) for _ in range({held})]"
    command = "[sys.executable, '-m', 'corsproxy', *sys.argv[1:]]"
    return "-c", f"{limit}; {hold}; os.execv(sys.executable, {command})"


def limits_of(pid: int) -> tuple[int, int]:
    """The soft and the hard limit of a process's open files."""
    lines = Path(f"/proc/{pid}/limits").read_text().splitlines()
    [words] = [line.split() for line in lines if line.startswith("Max open files")]
    return int(words[3]), int(words[4])


def cpu_seconds(proxy: Running) -> float:
    stat = Path(f"/proc/{proxy.command.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")


async def crowd(proxy: Running, size: int) -> list[asyncio.StreamWriter]:
    """Connect so often, where that is possible."""
    writers = []
    for _ in range(size):
        with suppress(ConnectionError):
            _, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
            writers.append(writer)
    return writers


async def test_a_proxy_without_descriptors_lives_on_and_says_so(tmp_path: Path) -> None:
    async with (
        RawPeer(answers(OK)) as upstream,
        running(
            upstream, tmp_path, "limits: {connections: 500}\n", program=limited(FEW, FEW, HELD)
        ) as proxy,
    ):
        client = await proxy.connect()
        writers = await crowd(proxy, 2 * FEW)
        begun, used = time.monotonic(), cpu_seconds(proxy)
        told = await proxy.command.event("out-of-descriptors")
        assert told["limit"] == FEW
        await client.send(get())
        reply = await client.reply()
        assert (reply.status, reply.grant) == (503, PAGE)
        assert b'"code": "no-descriptor"' in reply.content
        assert cpu_seconds(proxy) - used < 0.5 * (time.monotonic() - begun)
        for writer in writers:
            writer.close()
        async with asyncio.timeout(20):
            while True:
                with suppress(CutShortError, ConnectionError):
                    if (await proxy.ask(get())).status == 200:
                        break
        # One that had been refused an upstream gets it now, on the same connection.
        await client.send(get())
        assert (await client.reply()).status == 200
        assert (await proxy.admin("/readyz")).status == 200
        proxy.command.process.terminate()
        await proxy.command.event("stopped")
        told_of = [event["event"] for event in proxy.command.events]
        assert told_of.count("out-of-descriptors") == 1
        assert "fault" not in told_of


@pytest.mark.parametrize("few", [8, 18])
@pytest.mark.parametrize("arguments", [("http://127.0.0.1:9", *FREE_PORTS), ("demo",)])
async def test_too_few_to_start_are_refused_with_the_number(
    arguments: tuple[str, ...], few: int
) -> None:
    async with started(*arguments, program=limited(few, few)) as command:
        assert await command.exit_code() == 3
        [complaint] = (await command.complaints()).splitlines()
    assert complaint.startswith(f"corsproxy: only {few} files may be open at once")
    assert complaint.endswith("raise the limit, for example with `ulimit -n 1024`")


async def test_the_number_that_a_refusal_asks_for_is_enough(tmp_path: Path) -> None:
    async with started("http://127.0.0.1:9", *FREE_PORTS, program=limited(8, 8)) as command:
        asked = re.search(r"at least (\d+) are needed", await command.complaints())
    assert asked is not None
    enough = limited(int(asked[1]), int(asked[1]))
    async with (
        RawPeer(answers(OK)) as upstream,
        running(upstream, tmp_path, program=enough) as proxy,
    ):
        assert (await proxy.ask(get())).status == 200
        assert (await proxy.admin("/readyz")).status == 200


async def test_by_default_the_limit_leaves_descriptors_for_the_rest(tmp_path: Path) -> None:
    async with (
        RawPeer(answers(OK)) as upstream,
        running(upstream, tmp_path, program=limited(FEW, FEW)) as proxy,
    ):
        client = await proxy.connect()
        writers = await crowd(proxy, 2 * FEW)
        await client.send(get())
        assert (await client.reply()).status == 200
        assert (await proxy.admin("/readyz")).status == 200
        for writer in writers:
            writer.close()
        await until(lambda: all(writer.is_closing() for writer in writers))


async def test_the_command_takes_as_many_as_it_may_have(tmp_path: Path) -> None:
    async with (
        RawPeer(answers(OK)) as upstream,
        running(upstream, tmp_path, program=limited(FEW, MORE)) as proxy,
    ):
        assert limits_of(proxy.command.process.pid) == (MORE, MORE)
        # By the limit that it was started with, most of them would be turned away.
        clients = [await proxy.connect() for _ in range(2 * FEW)]
        for client in clients:
            await client.send(get())
        assert [(await client.reply()).status for client in clients] == [200] * len(clients)


async def test_workers_may_have_as_many_as_their_supervisor(tmp_path: Path) -> None:
    async with (
        RawPeer(answers(OK)) as upstream,
        running(upstream, tmp_path, "", "--workers", "2", program=limited(FEW, MORE)) as proxy,
    ):
        pids = [proxy.command.process.pid, *workers_of(proxy)]
        assert [limits_of(pid) for pid in pids] == [(MORE, MORE)] * 3


@pytest.mark.parametrize(
    ("soft", "hard", "raised"),
    [
        (256, 4096, 4096),
        (1024, 1_048_576, 65_536),
        (1024, resource.RLIM_INFINITY, 65_536),
        (100_000, 1_048_576, 100_000),
        (65_536, 65_536, 65_536),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, resource.RLIM_INFINITY),
    ],
)
def test_the_limit_is_raised_to_a_bound_and_never_lowered(
    soft: int, hard: int, raised: int
) -> None:
    assert raised_limit(soft, hard) == raised


@pytest.mark.parametrize("exhausted", [False, True])
async def test_the_watch_reports_once(exhausted: bool) -> None:
    looks: list[int] = []
    told: list[int | None] = []

    def look(descriptor: int) -> bool:
        looks.append(descriptor)
        # It comes and goes, which is told once, too.
        return not exhausted or len(looks) % 2 == 0

    watch = DescriptorWatch(told.append, look)
    watch.start(7, every=0.001)
    await until(lambda: len(looks) > 4)
    watch.stop()
    seen = len(looks)
    assert len(told) == exhausted
    assert await settled(lambda: len(looks)) == seen
    assert set(looks) == {7}


def test_it_looks_for_a_descriptor_and_gives_it_back() -> None:
    with socket.socket() as sock:
        before = os.dup(sock.fileno())
        os.close(before)
        assert can_open(sock.fileno())
        after = os.dup(sock.fileno())
        os.close(after)
    assert before == after
