"""HAProxy: what is written, and what its own reader makes of it."""

import shlex
import subprocess
from pathlib import Path

import pytest

from corsproxy.export.haproxy.text import anchored, formatted, milliseconds, quoted
from tests.export.injection import PLAIN, file_with
from tests.export.policies import VALUES
from tests.export.reading import GOOD, exported, losses
from tests.export.running import program


def checked(directory: Path, text: str) -> None:
    """Fail where HAProxy does not take the configuration."""
    (directory / "haproxy.cfg").write_text(text)
    done = subprocess.run(
        [program("haproxy"), "-c", "-f", directory / "haproxy.cfg"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_a_text_is_one_word() -> None:
    assert quoted("a'b $c") == "'a'\\''b $c'"
    assert formatted("100%") == "'100%%'"
    assert anchored("a|b") == "'^(?:a|b)$'"
    assert [milliseconds(1.5), milliseconds(None)] == ["1500ms", "24d"]


def test_haproxy_takes_every_value_as_one_word(tmp_path: Path) -> None:
    plain, hard = (exported("haproxy", file_with(values)).text for values in (PLAIN, VALUES))
    checked(tmp_path, hard)
    assert _shape(hard) == _shape(plain)


def _shape(text: str) -> list[tuple[str, int]]:
    """The first word and the number of words of each line; in what is written here, HAProxy's
    quotes are those of a shell."""
    lines = [shlex.split(line, comments=True) for line in text.splitlines()]
    return [(words[0], len(words)) for words in lines if words]


def test_an_upstream_by_name_over_tls_is_verified_and_looked_up(tmp_path: Path) -> None:
    text = exported("haproxy", GOOD.replace("http://127.0.0.1:9", "https://api.example.com")).text
    assert "verify required verifyhost 'api.example.com' ca-file @system-ca" in text
    assert "resolvers system init-addr last,libc,none" in text
    checked(tmp_path, text)


def test_an_https_listener_has_its_files() -> None:
    text = f"listen: https://127.0.0.1:8443\ntls: {{cert_file: c.pem, key_file: k.pem}}\n{GOOD}"
    line = "bind 127.0.0.1:8443 ssl crt '/dir/c.pem' alpn h2,http/1.1"
    assert line in exported("haproxy", text).text
    assert losses("haproxy", text) == [
        "corsproxy.yaml:2: tls.key_file: HAProxy reads the key from /dir/c.pem.key: link it there"
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"{GOOD}limits: {{body: 1MiB}}\n", [("corsproxy.yaml:3: limits: of the limits, only those"
         " of time and of the body are exported"), ("corsproxy.yaml:3: limits.body: a body without"
         " Content-Length is not limited")]),
        (GOOD, []),
    ],
)  # fmt: skip
def test_losses_have_lines(text: str, found: list[str]) -> None:
    assert losses("haproxy", text) == found
