"""Caddy: what is written, and what its own reader makes of it."""

import json
import subprocess
from pathlib import Path
from typing import Any

from corsproxy.export.caddy.text import map_block, placed, token, value
from tests.export.injection import PLAIN, file_with, shape
from tests.export.policies import VALUES
from tests.export.reading import GOOD, exported, losses
from tests.export.running import program


def adapted(directory: Path, text: str) -> Any:
    """The configuration as Caddy reads it; fails where it does not."""
    (directory / "Caddyfile").write_text(text)
    done = subprocess.run(
        [program("caddy"), "adapt", "--config", directory / "Caddyfile", "--adapter", "caddyfile"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_text_is_one_token() -> None:
    assert token('a "b" {$C}') == '`a "b" {$C}`'
    assert token('a `b` "c"') == '"a `b` \\"c\\""'
    assert (
        placed("a {$B} `c`") == "a {http.vars.cp_brace}$B} {http.vars.cp_tick}c{http.vars.cp_tick}"
    )
    assert value("{") == "`{http.vars.cp_brace}`"
    assert map_block("{a}", "b", "no", [("^c$", "yes", "f:1")]) == [
        "map `{a}` {b} {", "  # f:1", "  `~^c$` yes", "  default no", "}"
    ]  # fmt: skip


def test_caddy_takes_every_value_as_one(tmp_path: Path) -> None:
    plain, hard = (adapted(tmp_path, exported("caddy", file_with(values)).text)
                   for values in (PLAIN, VALUES))  # fmt: skip
    assert shape(hard) == shape(plain)


def test_an_https_listener_has_its_files() -> None:
    text = f"listen: https://127.0.0.1:8443\ntls: {{cert_file: c.pem, key_file: k.pem}}\n{GOOD}"
    found = exported("caddy", text).text
    assert "https://:8443 {\n  bind 127.0.0.1\n  tls `/dir/c.pem` `/dir/k.pem`" in found


def test_an_upstream_over_tls_is_verified(tmp_path: Path) -> None:
    text = exported("caddy", GOOD.replace("http://127.0.0.1:9", "https://api.example.com")).text
    assert "tls_server_name `api.example.com`" in text
    assert "insecure" not in text
    adapted(tmp_path, text)


def test_losses_have_lines() -> None:
    text = """\
cors: {allow_origins: [https://app.example.com], allow_credentials: true}
routes:
  - path: /
    upstream: http://127.0.0.1:9
    cors: {expose_headers: "*"}
  - {path: /b, upstream: "http://127.0.0.1:9", cors: passthrough}
"""
    assert [line.partition(": ")[0] for line in losses("caddy", text)] == [
        "corsproxy.yaml:5", "corsproxy.yaml:6"
    ]  # fmt: skip
