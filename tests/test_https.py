"""https by the command: flags, files, exit codes, and certificates that change at run time."""

import asyncio
import json
import os
import signal
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from trustme import CA

from corsproxy.shell.system.packages import installing
from tests.certificates import Pair, write_pair
from tests.fakes import Client, get
from tests.http2.test_request_fields import MALFORMED
from tests.http2_client import H2Client, ResetError, connected_to
from tests.peers import PeerConnection, RawPeer
from tests.process import FREE_PORTS, Command, finished, started
from tests.running import OK, file_for, port_of

ADMIN = ("--admin", "127.0.0.1:0")


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """Variables of a user who has no authority yet."""
    return {"XDG_DATA_HOME": str(tmp_path / "data"), "CAROOT": ""}


async def answer(peer: PeerConnection) -> None:
    while True:
        await peer.head()
        await peer.send(OK)


async def connect(url: str, ca_file: Path) -> Client:
    parts = urlsplit(url)
    context = ssl.create_default_context(cafile=ca_file)
    opened = await asyncio.open_connection(parts.hostname, parts.port, ssl=context)
    return Client(*opened)


async def serial(url: str, ca_file: Path) -> str:
    """The serial number of the certificate that a new connection is shown."""
    parts = urlsplit(url)
    context = ssl.create_default_context(cafile=ca_file)
    _, writer = await asyncio.open_connection(parts.hostname, parts.port, ssl=context)
    shown: Mapping[str, Any] = writer.get_extra_info("peercert")
    writer.close()
    return str(shown["serialNumber"])


def root(home: Mapping[str, str]) -> Path:
    return Path(home["XDG_DATA_HOME"]) / "corsproxy" / "rootCA.pem"


@pytest.mark.parametrize(
    ("arguments", "variables"),
    [
        (("--https", "-l", "localhost:0"), {}),
        (("-l", "https://localhost:0"), {}),
        (("-l", "localhost:0"), {"CORSPROXY_HTTPS": "1"}),
        ((), {"CORSPROXY_LISTEN": "https://localhost:0"}),
    ],
)
async def test_a_flag_is_enough(
    home: dict[str, str], arguments: tuple[str, ...], variables: dict[str, str]
) -> None:
    async with RawPeer(answer) as upstream:
        url = f"http://127.0.0.1:{upstream.port}"
        async with started(url, *arguments, *ADMIN, env={**home, **variables}) as command:
            [listen] = (await command.event("ready"))["listen"]
            assert listen.startswith("https://localhost:")
            client = await connect(listen, root(home))
            await client.send(get(origin="https://localhost:5173"))
            assert (await client.reply()).grant == "https://localhost:5173"
            await client.close()


async def test_a_distrusting_client_is_reported_once(home: dict[str, str]) -> None:
    arguments = ("http://127.0.0.1:1", "--https", "-l", "localhost:0")
    async with started(*arguments, *ADMIN, env=home) as command:
        [listen] = (await command.event("ready"))["listen"]

        def distrust() -> None:
            # asyncio's clients leave without a word.
            with (
                socket.create_connection(("localhost", port_of(listen)), 30) as sock,
                pytest.raises(ssl.SSLCertVerificationError),
            ):
                ssl.create_default_context().wrap_socket(sock, server_hostname="localhost")

        for _ in range(2):
            await asyncio.to_thread(distrust)
        assert "corsproxy trust" in (await command.event("certificate"))["message"]
        command.signal(signal.SIGTERM)
        assert await command.exit_code() == 0
        assert [each["event"] for each in command.events].count("certificate") == 1


async def test_http_and_https_stand_beside_each_other(tmp_path: Path, home: dict[str, str]) -> None:
    async with RawPeer(answer) as upstream:
        listen = "listen: ['127.0.0.1:0', 'https://127.0.0.1:0']\n"
        (tmp_path / "corsproxy.yaml").write_text(file_for(upstream, more=listen))
        async with started("--workers", "2", *ADMIN, cwd=tmp_path, env=home) as command:
            plain, secure = (await command.event("ready"))["listen"]
            client = await connect(secure, root(home))
            await client.send(get())
            assert (await client.reply()).status == 200
            await client.close()
            _, port = urlsplit(plain).netloc.split(":")
            other = Client(*await asyncio.open_connection("127.0.0.1", port))
            await other.send(get())
            assert (await other.reply()).status == 200
            await other.close()


async def test_a_certificate_that_is_replaced_is_shown_and_connections_are_kept(
    tmp_path: Path,
) -> None:
    ca = CA()
    pair = write_pair(tmp_path, ca)
    async with RawPeer(answer) as upstream:
        more = "listen: https://0.0.0.0:0\ntls: {cert_file: server.pem, key_file: server-key.pem}\n"
        (tmp_path / "corsproxy.yaml").write_text(file_for(upstream, more=more))
        async with started(*ADMIN, cwd=tmp_path) as command:
            [url] = (await command.event("ready"))["listen"]
            assert url.startswith("https://localhost:")
            before = await serial(url, pair.ca_file)
            client = await connect(url, pair.ca_file)
            pair.cert_file.write_text("half of a")
            assert await serial(url, pair.ca_file) == before
            assert "still using" in (await command.event("certificate"))["message"]
            write_pair(tmp_path, ca)
            assert await serial(url, pair.ca_file) != before
            await client.send(get())
            assert (await client.reply()).status == 200
            await client.close()
            command.signal(signal.SIGTERM)
            assert await command.exit_code() == 0


@pytest.mark.parametrize(
    ("arguments", "file", "code", "said"),
    [
        (("http://127.0.0.1:1", "-l", "https://0.0.0.0:0"), "", 78, "from other machines"),
        (("http://127.0.0.1:1", "-l", "https://box.example:0"), "", 78, "has no certificate"),
        ((), "listen: https://0.0.0.0:0\n", 78, "corsproxy.yaml:4:9"),
        ((), "listen: https://localhost:0\nallowed_hosts: [a.example]\n", 78, "a.example"),
        ((), "listen: https://localhost:0\ntls: {cert_file: no.pem, key_file: no.pem}\n", 78,
         "no such file"),
        (("--https",), "listen: localhost:0\n", 2, "listen: https://localhost:0"),
        (("--https",), "", 3, "cannot write the local authority"),
    ],
)  # fmt: skip
async def test_https_without_a_certificate_does_not_start(
    tmp_path: Path, arguments: tuple[str, ...], file: str, code: int, said: str
) -> None:
    rules = "upstream: https://api.example.com\ncors:\n  allow_origins: [http://localhost:5173]\n"
    (tmp_path / "corsproxy.yaml").write_text(rules + file)
    (tmp_path / "data").write_text("a file where a directory should be")
    env = {"XDG_DATA_HOME": str(tmp_path / "data"), "CAROOT": ""}
    found, _, err = await finished(*arguments, *ADMIN, cwd=tmp_path, env=env)
    assert found == code
    assert said in err
    assert "Traceback" not in err


async def test_without_the_packages_it_says_how_to_install_them(home: dict[str, str]) -> None:
    code = (
        "import sys, importlib.util as u\n"
        "find = u.find_spec\n"
        "def without(name, package=None):\n"
        "    return None if name in ('cryptography', 'h2') else find(name, package)\n"
        "u.find_spec = without\n"
        "from corsproxy.cli.main import main\n"
        "main()\n"
    )
    arguments = ("http://127.0.0.1:1", "--https", *FREE_PORTS)
    async with started(*arguments, env=home, program=("-c", code)) as command:
        assert await command.exit_code() == 3
        said = await command.complaints()
    assert "https needs h2 and cryptography, which are not installed; run: " in said
    assert " ".join(said.split()).endswith(installing("h2", "cryptography"))


def problems(text: str) -> list[tuple[str, str]]:
    return [(each["severity"], each["code"]) for each in json.loads(text)]


async def test_check_looks_at_the_files(tmp_path: Path) -> None:
    rules = (
        "upstream: https://api.example.com\ncors:\n  allow_origins: [http://localhost:5173]\n"
        "listen: https://0.0.0.0:8443\ntls: {cert_file: server.pem, key_file: server-key.pem}\n"
    )
    (tmp_path / "corsproxy.yaml").write_text(rules)

    async def check() -> tuple[int, list[tuple[str, str]]]:
        code, out, _ = await finished("check", "--format", "json", cwd=tmp_path)
        return code, problems(out)

    ca, now = CA(), datetime.now(UTC)
    pair: Pair = write_pair(tmp_path, ca)
    assert await check() == (0, [])
    os.chmod(pair.key_file, 0o644)
    assert await check() == (0, [("warning", "readable-key")])
    write_pair(tmp_path, ca, ends=now - timedelta(days=1))
    assert await check() == (1, [("error", "certificate-expired")])
    write_pair(tmp_path, CA(), stem="other")
    os.replace(tmp_path / "other-key.pem", pair.key_file)
    assert await check() == (1, [("error", "certificate-file")])


@asynccontextmanager
async def over_http2(
    answer: Callable[[PeerConnection], Awaitable[None]], directory: Path
) -> AsyncIterator[tuple[H2Client, Command]]:
    """A client of the command, and the command, in front of an upstream that does as `answer`."""
    pair = write_pair(directory, CA())
    more = (
        "listen: https://127.0.0.1:0\ntls: {cert_file: server.pem, key_file: server-key.pem}\n"
        "shutdown_grace: 60\n"
    )
    async with RawPeer(answer) as upstream:
        (directory / "corsproxy.yaml").write_text(file_for(upstream, more=more))
        async with started(*ADMIN, cwd=directory) as command:
            port = urlsplit((await command.event("ready"))["listen"][0]).port
            trusting = ssl.create_default_context(cafile=pair.ca_file)
            trusting.set_alpn_protocols(["h2"])
            async with connected_to("127.0.0.1", port or 0, trusting) as client:
                yield client, command


async def test_nothing_malformed_reaches_the_upstream(tmp_path: Path) -> None:
    """Over HTTP/2, in every way that a request can be malformed; what is well-formed is one
    request of HTTP/1.1, whatever its content looks like."""
    heads: list[bytes] = []

    async def record(peer: PeerConnection) -> None:
        while True:
            head = await peer.head()
            heads.append(head)
            _, has_content, rest = head.lower().partition(b"content-length: ")
            if has_content:
                await peer.exactly(int(rest.partition(b"\r\n")[0]))
            await peer.send(OK)

    smuggled = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
    async with over_http2(record, tmp_path) as (client, _):
        for section in MALFORMED.values():
            stream = client.h2.get_next_available_stream_id()
            client.h2.send_headers(stream, section, end_stream=True)
            await client.flush()
            with pytest.raises(ResetError):
                await client.reply(stream)
        length = [(b"content-length", b"%d" % len(smuggled))]
        stream = await client.ask("/a", "POST", length, content=smuggled)
        assert (await client.reply(stream)).status == 200
        assert (await client.get("/b")).status == 200
    assert [head.partition(b" HTTP/1.1\r\n")[0] for head in heads] == [b"POST /a", b"GET /b"]


async def test_a_stop_cuts_no_answer_that_is_on_its_way(tmp_path: Path) -> None:
    """A client still talks while it reads: it opens windows, and asks whether the connection
    lives. To close with that unread would be a reset, which loses what it has not read yet."""
    size = 16 * 1024 * 1024

    async def large(peer: PeerConnection) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + bytes(size))

    async with over_http2(large, tmp_path) as (client, command):
        client.h2.increment_flow_control_window(2 * size)
        stream = await client.ask()
        client.h2.increment_flow_control_window(2 * size, stream)
        await client.flush()
        await client.content(stream, 1)
        command.signal(signal.SIGTERM)
        while stream not in client.ended:
            client.h2.ping(b"still on")
            await client.receive()
        reply = await client.reply(stream)
        assert (len(reply.content), client.goaway) == (size, 0)
        assert await command.exit_code() == 0
