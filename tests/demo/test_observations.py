"""What the demo's servers saw reaches every follower, in order and once."""

import asyncio

from corsproxy.core.messages import Fields
from corsproxy.core.source import Source
from corsproxy.core.verdicts import Code, Kind, Verdict
from corsproxy.demo.observations import KEPT, Entry, ExchangeObserver, Observations
from corsproxy.shell.feed.records import ExchangeRecord
from tests import records


async def followed(observations: Observations) -> list[Entry]:
    return [entry async for entry in observations.follow()]


async def test_a_follower_gets_past_and_new_entries() -> None:
    observations = Observations()
    observations.add("api", {"method": "GET"})
    follower = asyncio.create_task(followed(observations))
    await asyncio.sleep(0)
    observations.add("proxy", {"method": "PUT"})
    await asyncio.sleep(0)
    observations.close()
    assert await follower == [
        {"seq": 1, "where": "api", "method": "GET"},
        {"seq": 2, "where": "proxy", "method": "PUT"},
    ]


async def test_simultaneous_entries_all_arrive() -> None:
    observations = Observations()
    follower = asyncio.create_task(followed(observations))
    await asyncio.sleep(0)
    for number in range(3):
        observations.add("api", {"number": number})
    await asyncio.sleep(0)
    observations.close()
    assert [entry["number"] for entry in await follower] == [0, 1, 2]


async def test_only_the_newest_are_kept() -> None:
    observations = Observations()
    for number in range(KEPT + 5):
        observations.add("api", {"number": number})
    follower = asyncio.create_task(followed(observations))
    await asyncio.sleep(0)
    observations.close()
    assert [entry["seq"] for entry in await follower] == list(range(6, KEPT + 6))


async def test_closing_ends_followers_that_wait() -> None:
    observations = Observations()
    followers = [asyncio.create_task(followed(observations)) for _ in range(3)]
    await asyncio.sleep(0)
    observations.close()
    assert await asyncio.gather(*followers) == [[], [], []]
    assert await followed(observations) == []


def record(target: bytes, fields: Fields, verdict: Verdict) -> ExchangeRecord:
    changes = {"target": target, "fields": fields, "verdict": verdict}
    return records.record(method="DELETE", status=204, **changes)


async def test_an_exchange_is_observed_with_its_rule_and_without_its_query() -> None:
    observations = Observations()
    at = Source("corsproxy.yaml", 7, 18)
    verdict = Verdict(Kind.PREFLIGHT, Code.METHOD_NOT_ALLOWED, False, "default", at, "DELETE")
    fields = [(b"Cookie", b"secret"), (b"Origin", b"http://localhost:1")]
    ExchangeObserver(observations).exchange(record(b"/api?token=1", fields, verdict))
    follower = asyncio.create_task(followed(observations))
    await asyncio.sleep(0)
    observations.close()
    assert await follower == [
        {
            "seq": 1,
            "where": "proxy",
            "method": "DELETE",
            "path": "/api",
            "origin": "http://localhost:1",
            "status": 204,
            "kind": "preflight",
            "code": "method-not-allowed",
            "allowed": False,
            "at": "corsproxy.yaml:7:18",
            "line": 7,
        }
    ]


async def test_malformed_requests_are_observed_too() -> None:
    observations = Observations()
    verdict = Verdict(Kind.UNREADABLE, Code.BAD_REQUEST, False)
    ExchangeObserver(observations).exchange(record(b"/\xff", [(b"Origin", b"\xfe")], verdict))
    follower = asyncio.create_task(followed(observations))
    await asyncio.sleep(0)
    observations.close()
    [entry] = await follower
    assert (entry["path"], entry["origin"], entry["at"]) == ("/\\xff", "\\xfe", None)
