"""Asking a running proxy."""

import asyncio
import socket
from pathlib import Path

import pytest

from tests.peers import PeerConnection, RawPeer, answers
from tests.process import finished, started

READY = b"HTTP/1.1 200 OK\r\nServer: corsproxy\r\nContent-Length: 6\r\n\r\nready\n"
ALIVE = b"HTTP/1.1 200 OK\r\nServer: corsproxy\r\nContent-Length: 3\r\n\r\nok\n"
DRAINING = (
    b"HTTP/1.1 503 Service Unavailable\r\nServer: corsproxy\r\nContent-Length: 9\r\n\r\ndraining\n"
)
OTHERS = (
    READY.replace(b"Server: corsproxy\r\n", b""),
    READY.replace(b"corsproxy", b"nginx"),
    b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n",
)


async def test_a_ready_proxy_is_healthy() -> None:
    async with RawPeer(answers(READY)) as admin:
        result = await finished("health", f"http://127.0.0.1:{admin.port}")
    assert result == (0, "ready\n", "")
    assert admin.heads[0].startswith(b"GET /readyz HTTP/1.1\r\n")


async def test_a_draining_proxy_is_not_healthy() -> None:
    async with RawPeer(answers(DRAINING)) as admin:
        code, out, err = await finished("health", f"http://127.0.0.1:{admin.port}/readyz")
    assert (code, out, err) == (1, "", "corsproxy: not ready: 503 draining\n")


async def test_the_path_may_be_chosen() -> None:
    async with RawPeer(answers(ALIVE)) as admin:
        result = await finished("health", f"http://127.0.0.1:{admin.port}/livez")
    assert result == (0, "ok\n", "")
    assert admin.heads[0].startswith(b"GET /livez HTTP/1.1\r\n")


@pytest.mark.parametrize("value", ["127.0.0.1:{}", "0.0.0.0:{}"])
async def test_the_admin_variable_of_serve_is_used(value: str) -> None:
    async with RawPeer(answers(READY)) as admin:
        code, _, _ = await finished("health", env={"CORSPROXY_ADMIN": value.format(admin.port)})
    assert code == 0


async def test_an_admin_listener_that_is_off_is_not_healthy() -> None:
    code, _, err = await finished("health", env={"CORSPROXY_ADMIN": "off"})
    assert code == 1
    assert "no admin listener" in err


@pytest.mark.parametrize("answer", OTHERS)
async def test_another_server_is_not_healthy(answer: bytes) -> None:
    async with RawPeer(answers(answer)) as other:
        code, out, err = await finished("health", f"127.0.0.1:{other.port}")
    assert (code, out) == (1, "")
    assert "is not corsproxy's admin listener" in err


async def test_an_unexpected_response_is_not_healthy() -> None:
    async with RawPeer(answers(ALIVE)) as admin:
        code, _, err = await finished("health", f"127.0.0.1:{admin.port}")
    assert (code, err) == (1, "corsproxy: not ready: 200 ok\n")


FILES = {
    "the file of this directory": ("corsproxy.yaml", (), {}),
    "a file that is named": ("other.yaml", ("-c", "other.yaml"), {}),
    "a file of the environment": ("other.yaml", (), {"CORSPROXY_CONFIG": "other.yaml"}),
}


@pytest.mark.parametrize(("name", "arguments", "env"), FILES.values(), ids=FILES)
async def test_the_file_says_where_it_is(
    tmp_path: Path, name: str, arguments: tuple[str, ...], env: dict[str, str]
) -> None:
    async with RawPeer(answers(READY)) as admin:
        # A file that would be refused serves all the same, as long as nobody restarts.
        (tmp_path / name).write_text(f"admin: 127.0.0.1:{admin.port}\nupstraem: x\n")
        result = await finished("health", *arguments, cwd=tmp_path, env=env)
    assert result == (0, "ready\n", "")


async def test_the_variable_overrides_the_file(tmp_path: Path) -> None:
    (tmp_path / "corsproxy.yaml").write_text("admin: off\n")
    async with RawPeer(answers(READY)) as admin:
        variables = {"CORSPROXY_ADMIN": f"127.0.0.1:{admin.port}"}
        code, _, _ = await finished("health", cwd=tmp_path, env=variables)
    assert code == 0


async def test_a_file_with_admin_off_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "corsproxy.yaml").write_text("admin: off\n")
    code, _, err = await finished("health", cwd=tmp_path)
    assert code == 1
    assert "`admin: off` in corsproxy.yaml: this proxy has no admin listener" in err


@pytest.mark.parametrize(
    ("text", "env"),
    [("admin: [", {}), ("admin: off", {"CORSPROXY_UPSTREAM": "http://api.test"})],
    ids=["not to be read", "not in use"],
)
async def test_a_file_without_admin_uses_the_default(
    tmp_path: Path, text: str, env: dict[str, str]
) -> None:
    (tmp_path / "corsproxy.yaml").write_text(text)
    code, _, err = await finished("health", cwd=tmp_path, env=env)
    assert code in (0, 1)
    assert "no admin listener" not in err
    assert "Traceback" not in err


async def test_a_file_that_is_missing_is_a_usage_error(tmp_path: Path) -> None:
    code, _, err = await finished("health", "-c", "missing.yaml", cwd=tmp_path)
    assert code == 2
    assert err == "corsproxy: cannot read missing.yaml: no such file or directory\n"


async def test_a_real_proxy_is_found_through_its_file(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (tmp_path / "corsproxy.yaml").write_text(
        f"listen: 127.0.0.1:0\nadmin: 127.0.0.1:{port}\nupstream: http://127.0.0.1:9\n"
    )
    async with started(cwd=tmp_path) as command:
        await command.event("ready")
        assert await finished("health", cwd=tmp_path) == (0, "ready\n", "")


async def test_no_server_is_not_healthy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    code, _, err = await finished("health", f"http://127.0.0.1:{port}")
    assert code == 1
    assert err.startswith(f"corsproxy: nothing answers at http://127.0.0.1:{port}: ")


async def test_a_bare_port_is_on_this_machine() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closing:
        port = closing.getsockname()[1]
    code, _, err = await finished("health", str(port))
    assert code == 1
    assert f"nothing answers at localhost:{port}: " in err


async def test_a_server_that_does_not_speak_http_is_not_healthy() -> None:
    async def garbage(peer: PeerConnection) -> None:
        await peer.head()
        await peer.send(b"\x00\x01\x02\r\n\r\n")

    async with RawPeer(garbage) as admin:
        code, _, err = await finished("health", f"http://127.0.0.1:{admin.port}")
    assert code == 1
    assert "Traceback" not in err


async def test_it_does_not_wait_for_ever() -> None:
    async def silence(peer: PeerConnection) -> None:
        await asyncio.Event().wait()

    async with RawPeer(silence) as admin:
        code, _, err = await finished("health", f"http://127.0.0.1:{admin.port}")
    assert code == 1
    assert "timed out" in err


@pytest.mark.parametrize(
    ("url", "what_to_do"),
    [
        ("foo", "write host:port, such as localhost:8011 (the default)"),
        ("foo:", "write host:port"),
        ("foo:0", "write host:port"),
        ("https://localhost:8011", "write host:port"),
        ("http://", "write host:port"),
        ("http://localhost:x", "write host:port"),
        ("http://[::1", "write host:port"),
        ("localhost:8011/metrics", "the paths are /readyz, /healthz, /livez"),
    ],
)
async def test_a_url_that_cannot_be_asked_is_a_usage_error(url: str, what_to_do: str) -> None:
    code, _, err = await finished("health", url)
    assert code == 2
    assert what_to_do in err
    assert "Traceback" not in err
