"""Flags count more than the file."""

from dataclasses import replace

from corsproxy.cli.addresses import Off
from corsproxy.cli.flags import Flags
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


def test_where_there_is_no_flag_the_file_counts() -> None:
    assert NONE.applied_to(FILE) == replace(FILE, via="corsproxy-1234")


def test_a_name_in_via_stays_and_is_told_from_its_namesakes() -> None:
    assert NONE.applied_to(replace(FILE, via="edge")).via == "edge-1234"
    assert NONE.applied_to(replace(FILE, via=None)).via is None


def test_every_flag_takes_the_place_of_its_key() -> None:
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
