"""shell/upstream/resolver.py: names to addresses, and for how long."""

import asyncio
import socket

import pytest

from corsproxy.shell.upstream.resolver import AddressInfo, Resolver


def address(host: str, port: int = 80) -> AddressInfo:
    return (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port))


class System:
    """A system resolver that counts how often it is asked."""

    def __init__(self, **hosts: list[str]) -> None:
        self.hosts = hosts
        self.asked: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def look_up(self, host: str, port: int) -> list[AddressInfo]:
        self.asked.append(host)
        await self.gate.wait()
        if host not in self.hosts:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [address(found, port) for found in self.hosts[host]]


def hosts(addresses: list[AddressInfo]) -> list[str]:
    return [found[4][0] for found in addresses]


@pytest.mark.parametrize("host", ["127.0.0.1", "10.1.2.3", "::1", "2001:db8::1"])
async def test_an_address_is_not_looked_up(host: str) -> None:
    system = System()
    found = await Resolver(look_up=system.look_up).resolve(host, 80)
    assert hosts(found) == [host]
    assert system.asked == []


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (["127.0.0.1"], ["127.0.0.1", "::1"]),
        (["::1"], ["::1", "127.0.0.1"]),
        (["::1", "127.0.0.1"], ["::1", "127.0.0.1"]),
        (None, ["127.0.0.1", "::1"]),
    ],
)
async def test_localhost_is_both_loopbacks(known: list[str] | None, expected: list[str]) -> None:
    system = System() if known is None else System(localhost=known)
    assert hosts(await Resolver(look_up=system.look_up).resolve("localhost", 80)) == expected


async def test_a_name_below_localhost_is_what_the_system_says_or_else_loopback() -> None:
    system = System(**{"api.localhost": ["10.0.0.9"]})
    resolver = Resolver(look_up=system.look_up)
    assert hosts(await resolver.resolve("api.localhost", 80)) == ["10.0.0.9"]
    assert hosts(await resolver.resolve("web.localhost", 80)) == ["127.0.0.1", "::1"]


async def test_an_answer_is_remembered_and_then_asked_for_again() -> None:
    system = System(api=["10.0.0.1"])
    remembering = Resolver(ttl=60, look_up=system.look_up)
    assert hosts(await remembering.resolve("api", 80)) == ["10.0.0.1"]
    system.hosts["api"] = ["10.0.0.2"]
    assert hosts(await remembering.resolve("api", 80)) == ["10.0.0.1"]
    assert len(system.asked) == 1
    forgetting = Resolver(ttl=0, look_up=system.look_up)
    await forgetting.resolve("api", 80)
    system.hosts["api"] = ["10.0.0.3"]
    assert hosts(await forgetting.resolve("api", 80)) == ["10.0.0.3"]


async def test_an_answer_can_be_forgotten() -> None:
    system = System(api=["10.0.0.1"])
    resolver = Resolver(ttl=60, look_up=system.look_up)
    await resolver.resolve("api", 80)
    resolver.forget("api", 80)
    resolver.forget("other", 80)
    await resolver.resolve("api", 80)
    assert len(system.asked) == 2


async def test_a_failure_is_not_remembered() -> None:
    system = System()
    resolver = Resolver(look_up=system.look_up)
    with pytest.raises(socket.gaierror):
        await resolver.resolve("api", 80)
    system.hosts["api"] = ["10.0.0.1"]
    assert hosts(await resolver.resolve("api", 80)) == ["10.0.0.1"]


async def test_one_lookup_serves_all_and_survives_a_caller_that_leaves() -> None:
    system = System(api=["10.0.0.1"])
    system.gate.clear()
    resolver = Resolver(look_up=system.look_up)
    callers = [asyncio.ensure_future(resolver.resolve("api", 80)) for _ in range(5)]
    done, _ = await asyncio.wait(callers, timeout=0)
    assert not done
    callers[0].cancel()
    system.gate.set()
    answers = await asyncio.gather(*callers, return_exceptions=True)
    assert isinstance(answers[0], asyncio.CancelledError)
    assert answers[1:] == [[address("10.0.0.1")]] * 4
    assert system.asked == ["api"]


@pytest.mark.parametrize("host", ["a" * 64 + ".test", "..", "no-such-host.invalid"])
async def test_an_invalid_name_is_not_found(host: str) -> None:
    with pytest.raises(socket.gaierror):
        await Resolver().resolve(host, 80)
