"""nginx: what is written, and what its own reader makes of it."""

import re
import subprocess
from pathlib import Path

import pytest

from corsproxy.export.nginx.text import map_block, pattern, quoted
from tests.export.injection import PLAIN, file_with
from tests.export.policies import VALUES
from tests.export.reading import GOOD, exported, losses
from tests.export.running import program


def dumped(directory: Path, text: str) -> str:
    """The configuration as nginx reads it; fails where it does not."""
    (directory / "nginx.conf").write_text(text)
    more = f"pid {directory}/pid; error_log {directory}/error.log;"
    done = subprocess.run(
        [program("nginx"), "-p", directory, "-c", directory / "nginx.conf", "-T", "-g", more],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_texts_are_quoted() -> None:
    assert quoted('a "b" \\ $c') == r'"a \"b\" \\ ${cp_dollar}c"'
    assert pattern(r"^a\.b$") == r'"~^a\\.b$"'


def test_maps_without_entries_are_constant() -> None:
    assert map_block("$a", "$b", "1", []) == ["map $a $b { default 1; }"]
    assert map_block("$a", "$b", "1", [("x", "2", "f:1")]) == [
        "map $a $b {", "  default 1;", "  x 2; # f:1", "}"
    ]  # fmt: skip


def test_nginx_takes_every_value_as_one(tmp_path: Path) -> None:
    plain, hard = (exported("nginx", file_with(values)).text for values in (PLAIN, VALUES))
    assert _directives(dumped(tmp_path, hard)) == _directives(dumped(tmp_path, plain))


def _directives(text: str) -> list[str]:
    """The first words of what a reader of nginx's syntax finds."""
    tokens = re.findall(r'"(?:[^"\\]|\\.)*"|#[^\n]*|[{};]|(?:\$\{|[^\s;{}"])+', text)
    kept = [token for token in tokens if not token.startswith("#")]
    ends = [-1, *(index for index, token in enumerate(kept) if token in "{};")]
    return [kept[index + 1] for index in ends if index + 1 < len(kept)]


def test_nginx_accepts_a_file_with_every_key(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "config.example.yaml").read_text()
    text = re.sub(r"(?m)^tls:.*\n(?:  .*\n)*", "", text)
    text = re.sub(r"(?m)^ +(?:ca|cert|key)_file: .*\n", "", text)
    # nginx looks names up when it reads them.
    text = re.sub(r"(www|shop)\.example\.com(?=$|/v2)", "127.0.0.1", text, flags=re.MULTILINE)
    assert "proxy_ssl_verify on;" in dumped(tmp_path, exported("nginx", _without_https(text)).text)


def _without_https(text: str) -> str:
    lines = text.splitlines(keepends=True)
    return "".join("listen: localhost:8010\n" if line.startswith("listen:") else line
                   for line in lines)  # fmt: skip


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ("response_headers: {remove: [Server]}", "server is sent by nginx itself"),
        ("response_headers: {set: {Content-Type: a/b}}", "Content-Type stays as the upstream"),
        ("cors: passthrough", "nginx's own errors carry no grant"),
        (f"request_headers: {{set: {{X-Long: {'x' * 5000}}}}}", "X-Long is left out"),
        ("cors: {expose_headers: '*', allow_credentials: true}", "safelisted fields only"),
    ],
)
def test_losses_have_lines(more: str, word: str) -> None:
    text = f"""\
cors: {{allow_origins: [https://app.example.com]}}
routes:
  - path: /
    upstream: http://127.0.0.1:9
    {more}
"""
    (found,) = losses("nginx", text)
    assert found.startswith("corsproxy.yaml:5: ")
    assert word in found


def test_an_https_listener_has_its_files() -> None:
    text = f"listen: https://127.0.0.1:8443\ntls: {{cert_file: c.pem, key_file: k.pem}}\n{GOOD}"
    found = exported("nginx", text).text
    assert "listen 127.0.0.1:8443 ssl http2 default_server;" in found
    assert 'ssl_certificate "/dir/c.pem";' in found
    assert "nosecure" not in found
