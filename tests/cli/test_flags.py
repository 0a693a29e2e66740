"""Flags override the file."""

from dataclasses import replace

import pytest

from corsproxy.cli.addresses import Off
from corsproxy.cli.flags import Flags
from corsproxy.config.reader import read_policy
from corsproxy.core.policy import ListenAddress, Log
from tests.policies import policy

NONE = Flags((), None, None, None, None, "1234")
FILE = policy(
    listen=(ListenAddress("localhost", 1),),
    admin=ListenAddress("localhost", 2),
    log=Log("text", "denied"),
    drain_delay=3.0,
    shutdown_grace=4.0,
)


def test_without_flags_the_file_decides() -> None:
    assert NONE.applied_to(FILE) == replace(FILE, via="corsproxy-1234")


def test_the_name_in_via_gets_a_suffix_per_run() -> None:
    assert NONE.applied_to(replace(FILE, via="edge")).via == "edge-1234"
    assert NONE.applied_to(replace(FILE, via=None)).via is None


def test_every_flag_overrides_its_key() -> None:
    listen, admin = (ListenAddress("::1", 5),), ListenAddress("::1", 6)
    applied = Flags(listen, admin, "json", 7.0, 8.0, "x").applied_to(FILE)
    assert applied == replace(
        FILE,
        listen=listen,
        admin=admin,
        log=Log("json", "denied"),
        drain_delay=7.0,
        shutdown_grace=8.0,
        via="corsproxy-x",
    )


def test_the_admin_listener_can_be_switched_off() -> None:
    assert NONE._replace(admin=Off.OFF).applied_to(FILE).admin is None


def test_a_file_without_via_stays_without() -> None:
    assert NONE.applied_to(replace(FILE, via=None)).via is None


HEAD = """\
upstream: http://127.0.0.1:9000
cors: {allow_origins: [http://localhost:5173]}
"""
EVERY = Flags(
    (ListenAddress("0.0.0.0", 8010),),
    ListenAddress("0.0.0.0", 8011),
    "json",
    5.0,
    20.0,
    "x",
    frozenset({"listen", "admin", "log_format", "drain_delay", "shutdown_grace"}),
)


@pytest.mark.parametrize(
    ("more", "message", "variable", "at"),
    [
        ("listen: localhost:9010", "localhost:9010 here, but 0.0.0.0:8010", "LISTEN", "3:9"),
        ("listen: [localhost:1, localhost:2]", "localhost:1, localhost:2 here", "LISTEN", "3:9"),
        ("admin: off", "off here, but 0.0.0.0:8011", "ADMIN", "3:8"),
        ("log: {requests: none, format: text}", "text here, but json", "LOG_FORMAT", "3:31"),
        # Its default, but written.
        ("drain_delay: 0s", "0s here, but 5s", "DRAIN_DELAY", "3:14"),
        ("shutdown_grace: 1m", "60s here, but 20s", "SHUTDOWN_GRACE", "3:17"),
    ],
)
def test_a_key_that_a_variable_overrides_is_warned_about(
    more: str, message: str, variable: str, at: str
) -> None:
    reading = read_policy(f"{HEAD}{more}\n", "c.yaml", {}, "/")
    (warning,) = EVERY.override_warnings(reading)
    assert (warning.severity, warning.code) == ("warning", "overridden-key")
    assert message in warning.message
    assert f"in CORSPROXY_{variable}, which takes precedence" in warning.message
    assert f"set CORSPROXY_{variable} to the empty string" in warning.help
    assert str(warning.source) == f"c.yaml:{at}"
    # A flag that was typed is intentional.
    assert EVERY._replace(of_environment=frozenset()).override_warnings(reading) == ()


def test_a_port_in_the_environment_is_warned_about_too() -> None:
    reading = read_policy(f"{HEAD}listen: localhost:9010\n", "c.yaml", {}, "/")
    flags = NONE._replace(port=9020, of_environment=frozenset({"port"}))
    (warning,) = flags.override_warnings(reading)
    assert "localhost:9010 here, but localhost:9020 in CORSPROXY_PORT" in warning.message


@pytest.mark.parametrize(
    "more",
    ["", "log: {requests: none}", "drain_delay: 5s", "listen: 0.0.0.0:8010", "log: {format: json}"],
)
def test_a_variable_that_changes_nothing_is_no_warning(more: str) -> None:
    reading = read_policy(f"{HEAD}{more}\n", "c.yaml", {}, "/")
    assert EVERY.override_warnings(reading) == ()
