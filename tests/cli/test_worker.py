"""How a process finds out that it is a worker. Its work is tested with its supervisor."""

import socket

import click
import pytest

from corsproxy.cli.worker import supervisors_channel
from corsproxy.shell.workers.channel import CHANNEL_VARIABLE


def test_without_the_variable_it_is_not_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CHANNEL_VARIABLE, raising=False)
    assert supervisors_channel() is None


def test_a_worker_finds_its_channel(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        monkeypatch.setenv(CHANNEL_VARIABLE, str(theirs.dup().detach()))
        channel = supervisors_channel()
        assert channel is not None
        with channel:
            ours.sendall(b"hello")
            assert channel.recv(100) == b"hello"


@pytest.mark.parametrize("value", ["", "x", "-1", "98765", "1.5", "9" * 20])
def test_an_invalid_channel_variable_is_refused(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv(CHANNEL_VARIABLE, value)
    with pytest.raises(click.UsageError, match=CHANNEL_VARIABLE):
        supervisors_channel()
