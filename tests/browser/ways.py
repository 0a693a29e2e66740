"""Three ways to find out what a page gets for a call: `explain`, raw HTTP, and Chromium.

They share only the file and the call. `explain` asks the package. Raw HTTP sends the fields of a
browser and reads the responses with the model of a browser.
"""

import asyncio
import base64
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from corsproxy.core.explain.explanation import Explanation, explain
from corsproxy.core.messages import Field
from corsproxy.core.page_call import PageCall
from corsproxy.core.policy import Policy
from tests.browser import model
from tests.browser.chromium import Tab
from tests.browser.matrix import Pair
from tests.browser.model import Blocked
from tests.browser.programs import DEADLINE_S
from tests.fakes import Reply
from tests.running import ask

# What a server sets by the clock.
CHANGING = frozenset({"date"})
_AT_A_TIME = 16


class Outcome(NamedTuple):
    """What the page's script, and the upstream, got."""

    preflighted: bool
    blocked: Blocked | None
    """Why the browser kept the response; None where the script has it."""
    status: int = 0
    headers: Mapping[str, str] = {}
    """Those that the script can read."""
    body: bytes = b""


class Raw(NamedTuple):
    """The same by raw HTTP, and the answers themselves."""

    outcome: Outcome
    preflight: Reply | None
    actual: Reply | None


def explained(policy: Policy, pair: Pair) -> Explanation:
    """What `explain` says about the call."""
    request = pair.request
    names = tuple(model.unsafe_header_names(request.headers))
    return explain(
        policy, PageCall(request.origin, pair.sent, request.method, names, request.include)
    )


def body_of(request: model.Request) -> bytes:
    """What the script sends as body; nothing where `fetch` would not take one."""
    return b"{}" if request.method in ("POST", "PUT", "PATCH") else b""


async def by_hand(port: int, pair: Pair) -> Raw:
    """Send what a browser sends, and read the answers as one does."""
    request, preflight = pair.request, None
    preflighted = model.needs_preflight(request)
    if preflighted:
        # A page on a public address would ask for the local network too.
        fields = [
            *model.preflight_fields(request),
            (b"Access-Control-Request-Private-Network", b"true"),
        ]
        preflight = await ask(port, _bytes("OPTIONS", pair, fields))
        blocked = model.preflight_check(request, preflight.status, preflight.fields)
        if blocked is not None:
            return Raw(Outcome(True, blocked), preflight, None)
    actual = await _actual(port, pair)
    blocked = model.cors_check(request, actual.fields)
    if blocked is not None:
        return Raw(Outcome(preflighted, blocked), preflight, actual)
    names = model.readable_names(request, actual.fields) - CHANGING
    headers = {name: model.joined(actual.fields, name) or "" for name in names}
    return Raw(
        Outcome(preflighted, None, actual.status, headers, actual.content), preflight, actual
    )


async def _actual(port: int, pair: Pair) -> Reply:
    request, body = pair.request, body_of(pair.request)
    fields = [(name.encode(), value.encode()) for name, value in request.headers]
    if body and "content-type" not in (name.lower() for name, _ in request.headers):
        fields.append((b"Content-Type", b"text/plain;charset=UTF-8"))
    # A browser gives a length to what has one, and to a POST or PUT without content.
    if body or model.method_sent(request) in ("POST", "PUT"):
        fields.append((b"Content-Length", b"%d" % len(body)))
    if not request.same_origin or model.method_sent(request) not in ("GET", "HEAD"):
        fields.append((b"Origin", request.origin.encode()))
    method = model.method_sent(request)
    return await ask(port, _bytes(method, pair, fields) + body, method=method)


def _bytes(method: str, pair: Pair, fields: Sequence[Field]) -> bytes:
    request = pair.request
    around = [
        (
            b"Host",
            request.origin.encode().partition(b"//")[2] if request.same_origin else b"localhost",
        ),
        (b"Connection", b"keep-alive"),
        (b"User-Agent", b"Mozilla/5.0"),
        (b"Accept-Encoding", b"gzip, deflate, br, zstd"),
        (b"Sec-Fetch-Mode", b"cors"),
        (b"Sec-Fetch-Dest", b"empty"),
        (b"Sec-Fetch-Site", b"same-origin" if request.same_origin else b"cross-site"),
    ]
    if not any(name.lower() == b"accept" for name, _ in fields):
        around.append((b"Accept", b"*/*"))
    if request.origin != "null":
        around.append((b"Referer", request.origin.encode() + b"/"))
    lines = [f"{method} {pair.sent} HTTP/1.1".encode()]
    lines += [name + b": " + value for name, value in (*around, *fields)]
    return b"\r\n".join([*lines, b"", b""])


_FETCH_ALL = """async ([calls, atATime, deadline]) => {
  const results = new Array(calls.length);
  let next = 0;
  const work = async () => {
    while (next < calls.length) {
      const index = next++;
      const [url, init] = calls[index];
      try {
        const response = await fetch(url, { signal: AbortSignal.timeout(deadline), ...init });
        const bytes = new Uint8Array(await response.arrayBuffer());
        results[index] = {
          status: response.status,
          headers: Object.fromEntries(response.headers),
          body: btoa(String.fromCharCode(...bytes)),
        };
      } catch (error) {
        results[index] = { error: error.name };
      }
    }
  };
  await Promise.all(Array.from({ length: atATime }, work));
  return results;
}"""


async def in_chromium(tab: Tab, url: str, pairs: Sequence[Pair]) -> list[Outcome]:
    """Let the page make all the calls, several at a time."""
    calls = [[url + pair.written, _init(pair.request)] for pair in pairs]
    arguments = [calls, _AT_A_TIME, DEADLINE_S * 1000]
    got = await tab.page.evaluate(_FETCH_ALL, arguments)
    preflighted = await tab.preflighted()
    return [
        await _outcome(tab, url + pair.sent, url + pair.sent in preflighted, result)
        for pair, result in zip(pairs, got, strict=True)
    ]


def _init(request: model.Request) -> Mapping[str, object]:
    body = body_of(request)
    return {
        "method": request.method,
        "headers": dict(request.headers),
        "credentials": "include" if request.include else "omit",
        **({"body": body.decode()} if body else {}),
    }


async def _outcome(tab: Tab, url: str, preflighted: bool, result: Mapping[str, object]) -> Outcome:
    if "error" in result:
        assert result["error"] == "TypeError", (url, result)
        failure = await tab.cors_failure(url)
        return Outcome(preflighted, Blocked(failure.error, failure.parameter))
    status, headers, body = result["status"], result["headers"], result["body"]
    assert isinstance(status, int)
    assert isinstance(headers, dict)
    assert isinstance(body, str)
    kept = {name: value for name, value in headers.items() if name not in CHANGING}
    return Outcome(preflighted, None, status, kept, base64.b64decode(body))


async def all_by_hand(port: int, pairs: Sequence[Pair]) -> list[Raw]:
    """Several at a time."""
    turn = asyncio.Semaphore(_AT_A_TIME)

    async def one(pair: Pair) -> Raw:
        async with turn:
            return await by_hand(port, pair)

    return list(await asyncio.gather(*map(one, pairs)))
