"""Thousands of malformed inputs against the real command: no traceback, no grant, no hang.

Every request has its own connection, because unparsable input ends its connection. The seed is
fixed, so that a failure can be repeated.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence

import pytest
from hypothesis import settings

from corsproxy.config.problems import ConfigError, Problem
from corsproxy.config.reader import read_policy
from tests.process import FREE_PORTS, Command, started

# 2,500 of each kind in every run, 50,000 with `make explore`.
REQUESTS = 25 * settings().max_examples
AT_ONCE = 64
DEADLINE_S = 20.0
PAGE = b"http://localhost:5173"
REFUSALS = {b"400", b"403", b"404", b"405", b"414", b"417", b"421", b"431", b"501", b"505", b"508"}


class Upstream:
    """Answers everything with a permissive grant, and keeps the heads it got."""

    def __init__(self) -> None:
        self.heads: list[bytes] = []
        self.port = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                self.heads.append(await reader.readuntil(b"\r\n\r\n"))
                writer.write(
                    b"HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\n"
                    b"Access-Control-Allow-Credentials: true\r\nContent-Length: 2\r\n\r\nok"
                )
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    recording = Upstream()
    server = await asyncio.start_server(recording.answer, "127.0.0.1", 0)
    recording.port = server.sockets[0].getsockname()[1]
    yield recording
    server.close()


async def exchange(port: int, request: bytes) -> bytes:
    """Send bytes and return all that comes back until the proxy closes."""
    async with asyncio.timeout(DEADLINE_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(request)
            return await reader.read()
        except ConnectionError:
            return b""
        finally:
            writer.close()


async def bombard(
    upstream: Upstream, make: Callable[[random.Random], bytes], allowed: set[bytes]
) -> None:
    """Send REQUESTS inputs and hold every answer against the laws."""
    numbers = random.Random(20261121)
    arguments = (f"http://127.0.0.1:{upstream.port}", *FREE_PORTS, "--log-format", "json")
    async with started(*arguments) as command:
        ready = await command.event("ready")
        port = int(ready["listen"][0].rpartition(":")[2])
        reading = asyncio.create_task(said(command))
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(request: bytes) -> None:
            async with gate:
                answer = await exchange(port, request)
            head = answer.partition(b"\r\n\r\n")[0].lower()
            assert b"access-control-allow-origin" not in head, (request, answer)
            status = answer[9:12]
            assert status in allowed, (request, answer)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(REQUESTS):
                    group.create_task(one(make(numbers)))
            answer = await exchange(port, b"GET /alive HTTP/1.0\r\nOrigin: %b\r\n\r\n" % PAGE)
            assert b"access-control-allow-origin: " + PAGE in answer.lower()
            command.process.terminate()
            assert await command.exit_code() == 0
            assert "Traceback" not in await reading + await command.complaints()
        finally:
            reading.cancel()


async def said(command: Command) -> str:
    assert command.process.stdout is not None
    return (await command.process.stdout.read()).decode()


def noise(numbers: random.Random, most: int = 40) -> bytes:
    """Any bytes but a line feed, which would begin another line."""
    length = numbers.randrange(1, most)
    return bytes(numbers.choice(_BYTES) for _ in range(length))


_BYTES = [byte for byte in range(256) if byte != 10]
_ORIGINS = [
    b"http://localhost:5173", b"https://localhost", b"http://127.0.0.1:1", b"http://[::1]:5173",
    b"null", b"https://example.com",
]  # fmt: skip
_BREAKERS = [
    b"/", b"?", b"#", b"@", b":", b" ", b"\t", b"\x00", b"\xff", b".evil.example", b"%2e", b",",
    b"\\", b"*", b":0", b":99999", b".", b"\xc4\xb0", b"http://localhost", b"user@", b";",
]  # fmt: skip


def malformed_origin(numbers: random.Random) -> bytes:
    """An Origin that is no origin, or none that loopback covers."""
    base = numbers.choice(_ORIGINS)
    where = numbers.choice([len(base), numbers.randrange(1, len(base))])
    origin = base[:where] + numbers.choice(_BREAKERS) + base[where:]
    origin = numbers.choice([origin, origin + b"x" * 9, noise(numbers), origin * 20, b"x"])
    if is_loopback(origin.strip(b" \t")):
        origin = b"https://evil.example"
    fields = b"Origin: " + origin + b"\r\n"
    if numbers.random() < 0.1:
        fields = b"Origin: " + PAGE + b"\r\nOrigin: " + PAGE + b"\r\n"
    return b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + fields + b"\r\n"


def is_loopback(origin: bytes) -> bool:
    """Whether the mutation is after all one of the origins that the policy allows."""
    for scheme in (b"http://", b"https://"):
        host, colon, port = origin.removeprefix(scheme).rpartition(b":")
        if not origin.startswith(scheme):
            continue
        if not colon or port.endswith(b"]"):
            host, port = origin.removeprefix(scheme), b"1"
        if port.isdigit() and host.replace(b".", b"").isalnum() and host.endswith(b"localhost"):
            return True
        if port.isdigit() and host in (b"127.0.0.1", b"[::1]"):
            return True
    return False


def malformed_requested_headers(numbers: random.Random) -> bytes:
    """A preflight of a stranger that asks for nonsense."""
    asked = b",".join(noise(numbers, 12) for _ in range(numbers.randrange(1, 400)))
    method = numbers.choice([b"PUT", b"", noise(numbers, 6)])
    return (
        b"OPTIONS / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        b"Origin: https://evil.example\r\nAccess-Control-Request-Method: " + method + b"\r\n"
        b"Access-Control-Request-Headers: " + asked + b"\r\n\r\n"
    )


_TARGETS = [
    b"/a/../b", b"/%2e%2e/b", b"/a/..%2fb", b"/a#b", b"http://evil.example/", b"//x/../y",
    b"ftp://localhost/", b"x", b"?x", b"/\xff", b"/a/..\\b", b"/./", b"http://u@localhost/",
]  # fmt: skip


def malformed_target(numbers: random.Random) -> bytes:
    """A target that must not reach the upstream."""
    target = numbers.choice(_TARGETS)
    if numbers.random() < 0.5:
        target = numbers.choice([b"/..", b"/%2E.", b"/.", b"/a/.%2e"]) + b"/" + noise(numbers)
    return b"GET " + target + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize("make", [malformed_origin, malformed_requested_headers, malformed_target])
async def test_no_malformed_request_gets_a_grant_or_reaches_the_upstream(
    upstream: Upstream, make: Callable[[random.Random], bytes]
) -> None:
    await bombard(upstream, make, REFUSALS)
    assert len(upstream.heads) == 1


_LINES = [
    "upstream: http://a.test", "upstream:", "cors:", "  allow_origins:", "    - http://a.test",
    "    - *", "  allow_origins: [*]", "  allow_origins: *x", "\tcors:", "routes:", "- path: /a",
    "  - {path: /a, upstream: http://a.test}", "listen: 1:2:3", "via: [", "{", "}", "&a", "<<: *a",
    "!!python/object:os.system x", "? x", "--- ", "...", "\x00", "# c", "x: &a [*a, *a]", "- ",
    "limits: {body: -1}", "allow_origins: ${X}", "trusted_proxies: [300.1.1.1/99]", "'", '"',
    "  max_age: 010", "  allow_credentials: yes", "é: ü", "\u2028", "log: {format: x}", "| ", "> x",
]  # fmt: skip


def test_no_malformed_file_makes_anything_but_problems() -> None:
    numbers = random.Random(20261121)
    refused = 0
    for _ in range(REQUESTS):
        lines = [numbers.choice(_LINES) for _ in range(numbers.randrange(1, 9))]
        text = numbers.choice(["\n", "\r\n", "\n  "]).join(lines)
        if numbers.random() < 0.2:
            where = numbers.randrange(len(text) + 1)
            text = text[:where] + chr(numbers.randrange(1, 0x3000)) + text[where:]
        problems = problems_of(text)
        refused += bool(problems)
        assert all(problem.source.line >= 1 for problem in problems)
    assert refused > REQUESTS * 0.9


def problems_of(text: str) -> Sequence[Problem]:
    try:
        read_policy(text, "corsproxy.yaml", {}, "/")
    except ConfigError as error:
        return error.problems
    return ()
