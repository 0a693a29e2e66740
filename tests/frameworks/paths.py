"""Paths in every spelling, the decision about each, and what a real back end reads."""

import asyncio
import random
import re
from urllib.parse import urlsplit

from corsproxy.core.decision import Forward, decide
from tests.fakes import Client
from tests.policies import policy, request, route

POLICY = policy(route(b"/"), route(b"/account"))
PIECES = (
    b"/ / / // /; account account accoun t a ccount %61 %74 %2f %2F %5c \\ ; ;x ;x=1 %3b ;account"
    b" %61ccount acc%6funt x %20 %2561 / %2faccount"
).split()


def paths(count: int) -> list[bytes]:
    """Return so many paths, the same in every run."""
    draw = random.Random("paths")
    fixed = [b"/account", b"/account/x", b"/x", b"//account", b"/%61ccount/x", b"/account;x"]
    begun = [draw.choice([b"/", b"/", b"/account/"]) for _ in range(count)]
    some = [start + b"".join(draw.choices(PIECES, k=draw.randint(1, 5))) for start in begun]
    return list(dict.fromkeys([*fixed, *some]))


def decided(path: bytes) -> str | None:
    """The route that decides about a request for `path`; None where it is refused."""
    decision = decide(POLICY, request(target=path))
    if not isinstance(decision, Forward):
        return None
    return "account" if decision.route.path == b"/account" else "other"


async def read_by(url: str, path: bytes) -> str | None:
    """What the back end says it was asked for; None where it refused or redirected."""
    parts = urlsplit(url)
    client = Client(*await asyncio.open_connection(parts.hostname, parts.port))
    try:
        head = b"GET %b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        await client.send(head % path)
        reply = await client.reply()
    finally:
        await client.close()
    found = re.search(rb"account|other", reply.content)
    return found[0].decode() if reply.status == 200 and found is not None else None


async def check(url: str, count: int = 300) -> None:
    """Whatever is forwarded is read as the path of the route that decided."""
    agreed = {"account": 0, "other": 0}
    for path in paths(count):
        route_name = decided(path)
        if route_name is None:
            continue
        read = await read_by(url, path)
        assert read in (route_name, None), (path, route_name, read)
        if read is not None:
            agreed[read] += 1
    assert min(agreed.values()) > 5, agreed
