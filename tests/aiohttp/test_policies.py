"""aiohttp/policies.py: policies from arguments and from files."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import corsproxy
from corsproxy.aiohttp import proxy_app
from corsproxy.core.verdicts import Code
from corsproxy.shell.feed.records import ExchangeRecord
from tests.aiohttp.embedded import EVIL, PAGE, ask, running
from tests.aiohttp.test_app import upstream
from tests.fakes import get, post
from tests.peers import until


def test_a_refusal_has_the_text_of_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = tmp_path / "corsproxy.yaml"
    config.write_text(
        "routes:\n  - {path: /, upstrem: http://a.test, cors: {allow_origins: ['*.test']}}\n"
    )
    command = (sys.executable, "-m", "corsproxy", "check", "corsproxy.yaml")
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 1
    with pytest.raises(corsproxy.ConfigError) as caught:
        proxy_app(config="corsproxy.yaml")
    assert "corsproxy.yaml:2:" in str(caught.value)
    assert str(caught.value) in (checked.stdout + checked.stderr)


def test_a_missing_file_raises_oserror(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        proxy_app(config=tmp_path / "none.yaml")


def test_the_package_itself_does_not_load_aiohttp() -> None:
    """Commands that do not need it would start late."""
    look = "import corsproxy, sys; corsproxy.ConfigError; sys.exit('aiohttp' in sys.modules)"
    subprocess.run((sys.executable, "-c", look), check=True)


@pytest.mark.parametrize("value", ["a$b", "${HOME}", "$$", "${X:-y}"])
async def test_a_dollar_sign_in_an_argument_is_one(value: str) -> None:
    async with upstream() as server:
        url, rules = f"http://localhost:{server.port}", {"set": {"X-Key": value}}
        async with running(proxy_app(url, allow_origins=(PAGE,), request_headers=rules)) as proxy:
            told = json.loads((await ask(proxy.port, get("/echo"))).content)
    assert ["X-Key", value] in told["fields"]


async def test_only_top_level_keys_about_requests_apply(tmp_path: Path) -> None:
    config = tmp_path / "corsproxy.yaml"
    records: list[ExchangeRecord] = []
    async with upstream() as server:
        config.write_text(f"""\
listen: 127.0.0.1:1
admin: 127.0.0.1:2
allowed_hosts: [api.example]
trusted_proxies: [127.0.0.0/8]
via: here
limits: {{body: 4}}
routes:
  - path: /
    upstream: http://localhost:{server.port}
    preserve_host: true
    cors: {{allow_origins: ["{PAGE}"]}}
""")
        async with running(proxy_app(config=config, on_record=records.append)) as proxy:

            def to(host: str, request: bytes) -> bytes:
                return request.replace(b"Host: localhost", b"Host: " + host.encode())

            other = await ask(proxy.port, to("other.example", get("/", origin=PAGE)))
            assert str(other.value("Corsproxy-Reason")).startswith(Code.HOST_NOT_ALLOWED)
            forwarded = get("/", "X-Forwarded-For: 192.0.2.7", origin=PAGE)
            told = json.loads((await ask(proxy.port, to("api.example", forwarded))).content)
            fields = dict(told["fields"])
            assert fields["Via"] == "1.1 here"
            assert fields["X-Forwarded-For"] == "192.0.2.7, 127.0.0.1"
            large = await ask(proxy.port, to("api.example", post(b"12345", "/")))
            assert (large.status, large.grant) == (413, PAGE)


async def test_a_refused_file_leaves_the_policy_in_force(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = tmp_path / "corsproxy.yaml"
    async with upstream() as server:
        text = f"""\
routes:
  - path: /
    upstream: http://localhost:{server.port}
    cors: {{allow_origins: ["{PAGE}"]}}
"""
        config.write_text(text)
        async with running(proxy_app(config=config, reload=True)) as proxy:
            config.write_text(text.replace("upstream", "upstrem"))
            await until(lambda: "is refused" in caplog.text)
            assert "corsproxy.yaml:3:" in caplog.text
            assert (await ask(proxy.port, get("/echo", origin=PAGE))).grant == PAGE
            assert (await ask(proxy.port, get("/echo", origin=EVIL))).status == 403
