"""The view "Allowlist": the policy in force, and how often each entry was used."""

from collections.abc import Callable, Iterator

from corsproxy.config.editing.diffs import diff
from corsproxy.config.learning.observations import refused_calls
from corsproxy.config.learning.proposal import propose
from corsproxy.config.problems import ConfigError
from corsproxy.core.advice.remedies import KEYS, KINDS
from corsproxy.core.origins import parse_origin
from corsproxy.core.origins.hosts import is_loopback
from corsproxy.core.policy import CorsRules, Listed, Policy
from corsproxy.core.source import Source
from corsproxy.shell.admin.editing import current_file
from corsproxy.shell.admin.inspector.rows import Json
from corsproxy.shell.admin.inspector.usage import Refused, Usage, Use

_ADDED_BY_ALLOW = {str(code): KINDS[key] for code, key in KEYS.items()}


def allowlist(
    policy: Policy, usage: Usage, file: str | None, is_mended: Callable[[int], bool]
) -> Json:
    """Return the policy's routes with the use of each entry, and what was refused.

    `is_mended` tells by a row's id whether its call would be allowed now.
    """
    return {
        "file": file,
        "routes": [
            {
                "name": route.name,
                "path": route.path.decode("latin-1"),
                "upstream": str(route.upstream),
                "at": str(route.source) if route.source.line else None,
                "passthrough": not isinstance(route.cors, CorsRules),
                "entries": list(_entries(route.cors, route.name, usage))
                if isinstance(route.cors, CorsRules)
                else [],
            }
            for route in policy.routes
        ],
        "refusals": [
            _refusal(refused, use, row) | {"mended": is_mended(row)}
            for refused, (use, row) in reversed(usage.refusals.items())
        ],
    }


def learnt(policy: Policy, usage: Usage, file: str) -> Json:
    """Return what `corsproxy learn` would propose for the refused calls. Blocks."""
    refused = refused_calls(policy, list(usage.observations))
    try:
        found = propose(current_file(file), refused, ())
    except (ConfigError, OSError):
        return {}  # the file's problems are shown where it is edited
    return {
        "diff": diff(file, found.before, found.after),
        "others": [
            {"origin": each.origin, "reason": each.reason, "times": each.seen.times}
            for each in found.others
        ],
    }


def _entries(rules: CorsRules, route: str, usage: Usage) -> Iterator[Json]:
    for pattern in rules.origins:
        yield _entry("origin", pattern.text, pattern.source, usage.of_entry(pattern.source))
    yield from _listed("method", rules.methods, route, usage)
    yield from _listed("header", rules.request_headers, route, usage)
    if rules.credentials:
        yield _entry("credentials", "allowed", rules.credentials_source, None)
    names = ["*"] if rules.expose_headers.any else rules.expose_headers.names
    for name in names:
        yield _entry("expose", name, rules.expose_headers.source, None)


def _listed(kind: str, listed: Listed, route: str, usage: Usage) -> Iterator[Json]:
    for name in ["*"] if listed.any else listed.names:
        yield _entry(kind, name, listed.source, usage.of_name(kind, route, name))


def _entry(kind: str, value: str, source: Source, use: Use | None) -> Json:
    found: Json = {"kind": kind, "value": value}
    if source.line:
        found["at"] = str(source)
    if kind not in ("credentials", "expose"):
        found |= _used(use)
    return found


def _used(use: Use | None) -> Json:
    if use is None:
        return {"calls": 0, "preflights": 0}
    return {"calls": use.calls, "preflights": use.preflights, "last": round(use.last * 1000)}


def _refusal(refused: Refused, use: Use, row: int) -> Json:
    kind = _ADDED_BY_ALLOW.get(refused.code)
    value = refused.subject or refused.origin
    if kind == "origin" and parse_origin(value.encode("utf-8", "replace")) is None:
        kind = None  # `null`, which any page can have
    return {
        "code": refused.code,
        "origin": refused.origin,
        "method": refused.method,
        "subject": refused.subject,
        "route": refused.route,
        "row": row,
        "kind": kind,
        "proposed": kind is not None and _is_proposed(kind, value),
        **_used(use),
    }


def _is_proposed(kind: str, value: str) -> bool:
    """Whether `corsproxy learn` would propose it unasked. Only origins on this machine are
    proposed, because calls may come from any origin."""
    if kind != "origin":
        return kind in ("method", "header")
    origin = parse_origin(value.encode("utf-8", "replace"))
    return origin is not None and is_loopback(origin.host)
