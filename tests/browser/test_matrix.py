"""A thousand calls: `explain`, the running proxy and Chromium agree on each of them.

What the author of the allowlist meant is a fourth opinion, written without the package.
"""

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from corsproxy.config.reader import read_policy
from corsproxy.core.explain.explanation import Explanation
from corsproxy.core.messages import Field
from corsproxy.core.policy import ListenAddress, Policy
from corsproxy.core.verdicts import Code
from tests.browser import intent, matrix, model
from tests.browser.chromium import OpenTab
from tests.browser.matrix import Pair
from tests.browser.proxy import RunningProxy, proxy, proxy_with_file
from tests.browser.servers import SANDBOXED, RecordingUpstream
from tests.browser.ways import CHANGING, Outcome, Raw, all_by_hand, explained, in_chromium
from tests.fakes import Reply
from tests.policies import policy_for_url
from tests.process import finished

# The installed command answers these, too: every so manieth.
STRIDE = 97
AT_A_TIME = 3
UPSTREAM_STATUS = 200
HEADER_REFUSED = "HeaderDisallowedByPreflightResponse"


def policy_of(content: object, port: int) -> Policy:
    policy = read_policy(json.dumps(content, indent=2), "corsproxy.yaml", {}, "/").policy
    return on_port(policy, port)


def on_port(policy: Policy, port: int) -> Policy:
    """The policy as the proxy has it that listens there."""
    return replace(policy, listen=(ListenAddress("localhost", port),))


# Two thousand calls in a browser take half a minute, and minutes beside other programs.
@pytest.mark.timeout(600)
async def test_explain_the_proxy_and_chromium_agree(
    open_tab: OpenTab,
    tmp_path: Path,
    upstream: RecordingUpstream,
    page_port: int,
    unlisted_port: int,
) -> None:
    content = matrix.allowlist(upstream.url, page_port, unlisted_port)
    pairs = matrix.pairs(page_port, unlisted_port)
    pairs += matrix.stray_pairs(page_port, unlisted_port)
    async with proxy_with_file(tmp_path, content) as running:
        pairs += matrix.own_pairs(running.url)
        assert len(pairs) > 2000
        policy = policy_of(content, running.port)
        raw, explanations = await agreed(open_tab, running, policy, pairs, upstream, page_port)
    await check_command(tmp_path, pairs[::STRIDE], explanations[::STRIDE])
    check_the_checks(content, running.port, pairs, raw)


async def test_they_agree_without_a_file(
    open_tab: OpenTab, upstream: RecordingUpstream, page_port: int, unlisted_port: int
) -> None:
    """`corsproxy URL`: every page on this machine, and no page without an origin."""
    pairs = matrix.pairs_without_file(page_port, unlisted_port)
    async with proxy(upstream.url) as running:
        policy = on_port(policy_for_url(upstream.url, ()), running.port)
        await agreed(open_tab, running, policy, pairs, upstream, page_port)


async def agreed(
    open_tab: OpenTab,
    running: RunningProxy,
    policy: Policy,
    pairs: Sequence[Pair],
    upstream: RecordingUpstream,
    page_port: int,
) -> tuple[list[Raw], list[Explanation]]:
    """What the proxy does by raw HTTP and what is explained, if it is the same as in Chromium."""
    assert len({pair.sent for pair in pairs}) == len(pairs)
    raw = await all_by_hand(running.plain_port or running.port, pairs)
    by_hand = arrivals(upstream)
    upstream.received.clear()
    seen = await all_in_chromium(open_tab, running.url, pairs, page_port)
    explanations = [explained(policy, pair) for pair in pairs]
    disagreements = [
        f"{pair}\n  {difference}"
        for pair, hand, chromium, explanation in zip(pairs, raw, seen, explanations, strict=True)
        for difference in [
            *differences(pair, hand, chromium),
            *contradictions(hand, explanation),
            *misreadings(pair, hand),
        ]
    ]
    assert not disagreements, f"{len(disagreements)}\n" + "\n".join(disagreements[:20])
    assert by_hand == arrivals(upstream)
    return raw, explanations


async def check_command(
    directory: Path, pairs: Sequence[Pair], explanations: Sequence[Explanation]
) -> None:
    """The installed command says the same about the same file."""

    async def ask(pair: Pair, explanation: Explanation) -> None:
        request = pair.request
        arguments = ["--origin", request.origin, "--method", request.method, pair.sent]
        for name in model.unsafe_header_names(request.headers):
            arguments += ["--header", name]
        arguments += ["--credentials"] if request.include else []
        code, out, err = await finished(
            "explain", "--config", "corsproxy.yaml", "--json", *arguments, cwd=directory
        )
        assert (code, err) == (0 if explanation.allowed else 1, ""), pair
        said, wanted = json.loads(out), json.loads(json.dumps(explanation.to_json()))
        # The command adds the edit of the file, which explanations know nothing of.
        assert {key: said[key] for key in wanted} == wanted, pair

    # Pages of the proxy's own origin are known by the port in the file, which has none.
    wanted = [
        each for each in zip(pairs, explanations, strict=True) if not each[0].request.same_origin
    ]
    assert len(wanted) > 15
    for start in range(0, len(wanted), AT_A_TIME):
        await asyncio.gather(*(ask(*each) for each in wanted[start : start + AT_A_TIME]))


def check_the_checks(
    content: Mapping[str, object], port: int, pairs: Sequence[Pair], raw: Sequence[Raw]
) -> None:
    """What the proxy did contradicts what is explained of any other file."""
    assert isinstance(content["routes"], list)
    for index, route in enumerate(content["routes"][: len(matrix.SPECS)]):
        cors = route["cors"]
        for changed in (
            {**cors, "allow_origins": ["https://elsewhere.example.com"]},
            {**cors, "allow_origins": ["*"], "allow_credentials": False},
            {**cors, "allow_methods": ["PURGE"]},
            {**cors, "allow_headers": ["x-other"]},
            {**cors, "expose_headers": ["x-other"]},
        ):
            routes = list(content["routes"])
            routes[index] = {**route, "cors": changed}
            other = policy_of({**content, "routes": routes}, port)
            if changed["allow_origins"] == cors["allow_origins"] == ["*"]:
                continue
            assert any(
                contradictions(hand, explained(other, pair))
                for pair, hand in zip(pairs, raw, strict=True)
                if pair.sent.startswith(f"/{index}/")
            ), (index, changed)


def arrivals(upstream: RecordingUpstream) -> list[tuple[str, str, bytes]]:
    """What has reached the upstream."""
    return sorted((each.method, each.target, each.body) for each in upstream.received)


def differences(pair: Pair, raw: Raw, chromium: Outcome) -> list[str]:
    """In what the page gets by the model of a browser, and in Chromium."""
    hand, blocked = raw.outcome, chromium.blocked
    if blocked is not None and blocked.error == HEADER_REFUSED and raw.preflight is not None:
        # Of several headers that are refused, Chromium names any.
        refused = model.refused_header_names(pair.request, raw.preflight.fields)
        if blocked.parameter in refused:
            chromium = chromium._replace(blocked=blocked._replace(parameter=refused[0]))
    return [
        f"{name}: {wanted!r} by hand, {got!r} in Chromium"
        for name, wanted, got in zip(Outcome._fields, hand, chromium, strict=True)
        if wanted != got
    ]


def contradictions(raw: Raw, explanation: Explanation) -> list[str]:
    """Between what `explain` says and what the proxy does."""
    verdict, outcome = explanation.verdict, raw.outcome
    if verdict.code is Code.PASSTHROUGH:
        return []
    said: dict[str, tuple[object, object]] = {
        "preflighted": (explanation.preflight is not None, outcome.preflighted),
        "on the preflight": (grant_of(explanation.preflight or ()), grant_in(raw.preflight)),
        "allowed": (explanation.allowed, outcome.status == UPSTREAM_STATUS),
    }
    # What a page of the proxy's own origin is granted says nothing: it needs no grant, and
    # often sends no Origin.
    if raw.actual is not None and not explanation.call.same_origin:
        granted = grant_in(raw.actual)
        if b"access-control-expose-headers" not in grant_of(explanation.grant):
            # Where every name is exposed, it depends on the response which they are.
            granted.pop(b"access-control-expose-headers", None)
        said["on the response"] = (grant_of(explanation.grant), granted)
    if outcome.blocked is not None:
        said["in the console"] = (verdict.browser_error, outcome.blocked.error)
    elif not explanation.allowed:
        said["status"] = (verdict.facts.status, outcome.status)
    return [
        f"{what}: {words!r} explained, {deeds!r} done"
        for what, (words, deeds) in said.items()
        if words != deeds
    ]


def grant_of(fields: Iterable[Field]) -> dict[bytes, bytes]:
    """The fields by which a response grants something to a page."""
    lines = [(name.lower(), value) for name, value in fields]
    return {n: v for n, v in lines if n.startswith(b"access-control-") or n == b"vary"}


def grant_in(reply: Reply | None) -> dict[bytes, bytes]:
    return {} if reply is None else grant_of(reply.fields)


def misreadings(pair: Pair, raw: Raw) -> list[str]:
    """Where the proxy does not do what the author of the allowlist meant."""
    if pair.spec is None:
        return []
    outcome, meant = raw.outcome, intent.permits(pair.spec, pair.request)
    if (outcome.blocked is None) != meant:
        return [f"meant to be {'allowed' if meant else 'refused'}"]
    if raw.actual is None or not meant:
        return []
    # Connection belongs to the connection, not to the answer.
    present = {name.decode().lower() for name, _ in raw.actual.fields} - {"connection"}
    readable = intent.readable(pair.spec, frozenset(present)) - CHANGING
    if readable != outcome.headers.keys():
        return [f"meant to read {sorted(readable)}, reads {sorted(outcome.headers)}"]
    return []


async def all_in_chromium(
    open_tab: OpenTab, url: str, pairs: Sequence[Pair], page_port: int
) -> list[Outcome]:
    """The calls of each page at once, those of different pages one page after the other."""
    seen: dict[str, Outcome] = {}
    for origin in dict.fromkeys(pair.request.origin for pair in pairs):
        sandboxed = f"http://localhost:{page_port}{SANDBOXED}".removesuffix("/")
        tab = await open_tab(sandboxed if origin == "null" else origin)
        assert await tab.page.evaluate("self.origin") == origin
        own = [pair for pair in pairs if pair.request.origin == origin]
        got = await in_chromium(tab, url, own)
        seen |= {pair.sent: outcome for pair, outcome in zip(own, got, strict=True)}
        await tab.page.close()
    return [seen[pair.sent] for pair in pairs]
