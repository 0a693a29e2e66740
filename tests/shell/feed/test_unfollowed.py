"""Preflights that no call follows."""

import asyncio
from typing import Any

from corsproxy.config.reader import read_policy
from corsproxy.core.advice.diagnosis import about_unfollowed
from corsproxy.core.verdicts import Code, Kind, Verdict
from corsproxy.shell.feed.records import ExchangeRecord
from corsproxy.shell.feed.unfollowed import Unfollowed
from tests import records
from tests.peers import until

ORIGIN = (b"Origin", b"http://localhost:5173")
TEXT = "upstream: https://api.test\ncors:\n  allow_origins: [http://localhost:5173]\n"
PATIENCE_S = 0.01


def record(kind: Kind = Kind.PREFLIGHT, more: str = "", **changes: Any) -> ExchangeRecord:
    policy = read_policy(TEXT + more, "corsproxy.yaml", {}, "/").policy
    verdict = Verdict(kind, Code.ORIGIN_ALLOWED, True, policy.routes[0].name)
    return records.record(policy=policy, verdict=verdict, fields=(ORIGIN,), **changes)


async def test_a_preflight_without_a_call_is_reported() -> None:
    told: list[ExchangeRecord] = []
    Unfollowed(told.append, lambda: False, PATIENCE_S).exchange(record())
    await until(lambda: len(told) == 1)


async def test_a_preflight_followed_by_its_call_is_not_reported() -> None:
    told: list[ExchangeRecord] = []
    unfollowed = Unfollowed(told.append, lambda: False, PATIENCE_S)
    for each in (record(), record(Kind.ACTUAL), record(more="  allow_credentials: true\n")):
        unfollowed.exchange(each)
    last = asyncio.get_running_loop().time() + 3 * PATIENCE_S
    await until(lambda: asyncio.get_running_loop().time() > last)
    assert told == []


async def test_a_socket_io_handshake_is_reported_once() -> None:
    told: list[ExchangeRecord] = []
    first = record(Kind.ACTUAL, target=b"/socket.io/?EIO=4&transport=polling&t=a")
    again = record(Kind.ACTUAL, target=b"/socket.io/?EIO=4&transport=polling&t=b")
    unfollowed = Unfollowed(told.append, lambda: False, PATIENCE_S)
    for each in (first, again):
        unfollowed.exchange(each)
    await until(lambda: told == [first])
    [why, do] = about_unfollowed(first.ended).lines
    assert "After socket.io's first request for /socket.io/ no call came." in why
    assert do.endswith("run: corsproxy allow credentials")
    unfollowed.exchange(first)
    unfollowed.exchange(record(Kind.ACTUAL, target=b"/socket.io/?EIO=4&transport=polling&sid=1"))
    last = asyncio.get_running_loop().time() + 3 * PATIENCE_S
    await until(lambda: asyncio.get_running_loop().time() > last)
    assert told == [first]


async def test_nothing_is_reported_while_calls_are_in_progress() -> None:
    asked: list[bool] = []

    def is_busy() -> bool:
        asked.append(True)
        return True

    told: list[ExchangeRecord] = []
    unfollowed = Unfollowed(told.append, is_busy, PATIENCE_S)
    unfollowed.exchange(record())
    await until(lambda: bool(asked))
    assert told == []
    for number in range(1000):
        unfollowed.exchange(record(target=b"/%d" % number))
    unfollowed.close()
