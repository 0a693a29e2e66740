"""The proxy itself as the measure: what it answers, and how an engine's answer differs.

Its own answers come from `decide` and `complete`, which is what the server obeys.
"""

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urljoin

from corsproxy.config.places import read_places
from corsproxy.config.reader import read_policy
from corsproxy.core.answers import Answer
from corsproxy.core.decision import Forward, complete, decide, fail
from corsproxy.core.messages import ClientHead, Framing, RequestHead, UpstreamHead
from corsproxy.core.policy import Policy
from corsproxy.errors import UpstreamError, UpstreamFault
from corsproxy.export.engines import Exported, export
from tests.browser import model
from tests.browser.model import Blocked, Request
from tests.export import upstream
from tests.export.probes import Got, Probe, ask_all
from tests.export.running import ENGINES, free_port, running
from tests.export.upstream import answer

GRANTS = ("origin", "credentials", "methods", "headers", "expose", "age")
_NAMES = {
    "origin": "access-control-allow-origin",
    "credentials": "access-control-allow-credentials",
    "methods": "access-control-allow-methods",
    "headers": "access-control-allow-headers",
    "expose": "access-control-expose-headers",
    "age": "access-control-max-age",
}
_STRIPPED = (
    "strict-transport-security", "clear-site-data", "service-worker-allowed",
    "cache-control",
)  # fmt: skip
_TOLD = (
    "host", "origin", "referer", "sec-fetch-site", "sec-fetch-mode", "x-forwarded-host",
    "x-forwarded-proto", "x-real-ip", "forwarded", "x-api-key", "x-debug", "cookie",
    "access-control-request-method", "access-control-request-headers",
)  # fmt: skip


def own_answer(policy: Policy, probe: Probe, port: int, upstream_port: int) -> Got:
    """Return what the proxy itself answers; every port but `upstream_port` is dead."""
    fields = [(name.encode(), value.encode("latin-1")) for name, value in probe.lines(port)]
    head = RequestHead(probe.method, probe.target.encode("latin-1"), fields, client="127.0.0.1")
    decision = decide(policy, head)
    if isinstance(decision, Answer):
        return _got(decision.head)
    assert isinstance(decision, Forward)
    if decision.route.upstream.port != upstream_port:
        return _got(fail(decision, UpstreamError(UpstreamFault.UNREACHABLE, "refused")).head)
    asked = decision.request
    status, answered = answer(asked.method, asked.target.decode("latin-1"), upstream_port)
    answered = [*answered, (b"Content-Type", b"application/json")]
    completed = complete(decision, UpstreamHead(status, b"X", answered, Framing.NONE))
    if isinstance(completed, Answer):
        return _got(completed.head)
    seen = {
        "method": asked.method,
        "target": asked.target.decode("latin-1"),
        "fields": [(k.decode("latin-1"), v.decode("latin-1")) for k, v in asked.fields],
    }
    return Got(completed.status, list(completed.fields), seen)


def _got(head: ClientHead) -> Got:
    return Got(head.status, list(head.fields), None)


@dataclass(frozen=True)
class Verdict:
    """What a browser makes of an answer, with and without credentials."""

    without: Blocked | frozenset[str]
    with_credentials: Blocked | frozenset[str]
    forwarded: bool


def verdict(probe: Probe, got: Got, port: int) -> Verdict:
    """Return what the page gets; names of fields that only some engines add do not count."""
    return Verdict(
        _outcome(probe, got, port, include=False),
        _outcome(probe, got, port, include=True),
        got.seen is not None or any(name.lower() == b"x-reached" for name, _ in got.fields),
    )


def _outcome(probe: Probe, got: Got, port: int, *, include: bool) -> Blocked | frozenset[str]:
    fields = dict(probe.lines(port))
    asked = fields.get("Access-Control-Request-Method")
    headers = fields.get("Access-Control-Request-Headers", "")
    same = fields.get("Origin") in (f"http://{fields['Host']}", f"https://{fields['Host']}")
    origin = fields.get("Origin", "https://no.origin.test")
    if probe.method == "OPTIONS" and asked is not None:
        names = tuple((name.strip(), "x" * 200) for name in headers.split(",") if name.strip())
        request = Request(origin, asked or "GET", names, include, same)
        return model.preflight_check(request, got.status, got.fields) or frozenset()
    request = Request(origin, probe.method, (), include, same)
    blocked = model.cors_check(request, got.fields)
    if blocked is not None:
        return Blocked("not readable")
    counted = {"x-request-id", "x-upstream", "x-total-count", "x-reached"}
    return frozenset(model.readable_names(request, got.fields) & counted)


def is_wider(engine: Verdict, own: Verdict) -> bool:
    """Whether the engine lets through what the proxy itself does not."""
    pairs = ((engine.without, own.without), (engine.with_credentials, own.with_credentials))
    if any(_more(one, other) for one, other in pairs):
        return True
    return engine.forwarded and not own.forwarded


def _more(engine: Blocked | frozenset[str], own: Blocked | frozenset[str]) -> bool:
    if isinstance(engine, Blocked):
        return False
    return isinstance(own, Blocked) or not engine <= own


def _values(got: Got, name: str) -> str | None:
    return model.joined(got.fields, name)


def _members(value: str | None) -> frozenset[str] | None:
    if not value:
        return None
    return frozenset(part.strip().lower() for part in value.split(",") if part.strip())


def grants(got: Got) -> tuple[object, ...]:
    """Return the six fields, lists as sets."""
    return tuple(
        _values(got, name) or None if key in ("origin", "credentials", "age")
        else _members(_values(got, name))
        for key, name in _NAMES.items()
    )  # fmt: skip


def differences(probe: Probe, engine: Got, own: Got, port: int) -> list[str]:
    """Return everything in which two answers differ, in words."""
    found = []
    if verdict(probe, engine, port) != verdict(probe, own, port):
        found.append("verdict")
    if engine.status != own.status:
        found.append(f"status {engine.status} for {own.status}")
    if grants(engine) != grants(own):
        found.append(f"grant {grants(engine)} for {grants(own)}")
    vary, expected = (_members(_values(got, "vary")) for got in (engine, own))
    if vary != expected:
        found.append(f"vary {vary} for {expected}")
    found += _differing_fields(probe, engine, own, port)
    if engine.seen is not None and own.seen is not None:
        found += _differing_views(engine.seen, own.seen)
    return found


def _differing_fields(probe: Probe, engine: Got, own: Got, port: int) -> list[str]:
    found = []
    here = f"http://{dict(probe.lines(port))['Host']}{probe.target}"
    one, other = (urljoin(here, _values(got, "location") or "") for got in (engine, own))
    if one != other:
        found.append(f"location {one} for {other}")
    if _cookies(engine) != _cookies(own):
        found.append(f"cookies {_cookies(engine)} for {_cookies(own)}")
    if own.seen is not None:
        found += [
            f"{name} {_values(engine, name)} for {_values(own, name)}"
            for name in _STRIPPED
            if _values(engine, name) != _values(own, name)
        ]
    return found


def _cookies(got: Got) -> list[str]:
    lines = [value.decode("latin-1") for name, value in got.fields if name.lower() == b"set-cookie"]
    # A Domain without a value is none (RFC 6265bis, 5.6.3).
    return sorted(re.sub(r"\s*;\s*", "; ", re.sub(r";\s*domain=(?=;|$)", "", line, flags=re.I))
                  for line in lines)  # fmt: skip


def _differing_views(engine: dict[str, object], own: dict[str, object]) -> list[str]:
    found = []
    if engine["target"] != own["target"]:
        found.append(f"target {engine['target']} for {own['target']}")
    one, other = _told(engine["fields"]), _told(own["fields"])
    return found + [
        f"upstream sees {name} {one.get(name)} for {other.get(name)}"
        for name in _TOLD
        if one.get(name) != other.get(name)
    ]


def _told(fields: object) -> dict[str, list[str]]:
    assert isinstance(fields, list)
    found: dict[str, list[str]] = {}
    for name, value in fields:
        found.setdefault(name.lower(), []).append(value)
    return found


class Compared(NamedTuple):
    """A policy, what was exported of it, and for each probe the engine's and the own answer."""

    policy: Policy
    exported: Exported
    answers: list[tuple[Probe, Got, Got, int]]


async def compared(
    engine: str,
    content: Callable[[int, int, int], str],
    probes: Sequence[Probe],
    directory: Path,
    planted: Callable[[str], str] = str,
) -> Compared:
    """Run `engine` with what is exported for it, and ask it and the proxy itself the same.

    `content` makes the file of three ports: the listener's, an upstream's, one where nothing is.
    `planted` changes what was exported, to see whether that is noticed.
    """
    async with upstream.serving() as upstream_port:
        port = free_port()
        text = content(port, upstream_port, free_port())
        policy = read_policy(text, "corsproxy.yaml", os.environ, str(directory)).policy
        places = read_places(text, "corsproxy.yaml")
        exported = export(ENGINES[engine].exported_as, policy, "corsproxy.yaml", places)
        async with running(engine, directory, planted(exported.text), port):
            answers = await ask_all(port, probes)
        own = [own_answer(policy, probe, port, upstream_port) for probe in probes]
    found = [(*each, port) for each in zip(probes, answers, own, strict=True)]
    return Compared(policy, exported, found)
