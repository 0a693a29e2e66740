"""Use of the allowlist: how often and when last each entry allowed something, and what was
refused.

Counted for as long as the proxy runs, independently of the ring. Preflights are counted apart
from calls, because browsers cache their responses.
"""

from collections import deque
from collections.abc import Iterator
from typing import Final, NamedTuple

from corsproxy.config.learning.observations import Observation, observed_call
from corsproxy.core.policy import CorsRules, Policy
from corsproxy.core.source import Source
from corsproxy.core.verdicts import Code, Kind, Verdict
from corsproxy.shell.admin.inspector.exchanges import Exchange
from corsproxy.shell.admin.inspector.secrets import text_of
from corsproxy.shell.feed.clock import timestamp

MOST_REFUSALS = 200
MOST_OBSERVATIONS = 2000
_MOST_NAMES: Final = 1000
# Compiled code finds a constant faster than the member of an enumeration.
_ORIGIN_ALLOWED: Final = Code.ORIGIN_ALLOWED
_PREFLIGHT: Final = Kind.PREFLIGHT


def _origins(policy: Policy) -> Iterator[tuple[str | None, str, Source]]:
    """Yield each route's entries of allow_origins with their places."""
    rules = [(route.name, route.cors) for route in policy.routes]
    for name, cors in [(None, policy.default_cors), *rules]:
        if isinstance(cors, CorsRules):
            for pattern in cors.origins:
                yield name, pattern.text, pattern.source


class Use:
    """How often something was used, and when last, in seconds since the epoch."""

    __slots__ = ("calls", "last", "preflights")

    def __init__(self) -> None:
        self.calls = 0
        self.preflights = 0
        self.last = 0.0


class Run:
    """A run of calls that were allowed alike; they are counted together."""

    __slots__ = ("at", "calls", "last", "method", "route")

    def __init__(self, at: Source | None, method: str, route: str | None) -> None:
        self.at = at
        self.method = method
        self.route = route
        self.calls = 0
        self.last = 0.0


class Refused(NamedTuple):
    """What was refused; counted elsewhere."""

    code: str
    subject: str
    origin: str
    method: str
    route: str | None


class Usage:
    """Counts finished exchanges."""

    def __init__(self) -> None:
        self._entries: dict[Source, Use] = {}
        self._names: dict[tuple[str, str | None, str], Use] = {}
        self._run = Run(None, "", None)
        self.refusals: dict[Refused, tuple[Use, int]] = {}
        """Each with the id of its last row."""
        self.observations: deque[Observation] = deque(maxlen=MOST_OBSERVATIONS)
        """The refused calls, for `corsproxy learn`."""

    def add(self, exchange: Exchange) -> None:
        verdict = exchange.verdict
        if verdict is None:
            return
        if verdict.code is _ORIGIN_ALLOWED and verdict.at is not None:
            if verdict.kind is _PREFLIGHT:
                self._count_preflight(exchange, verdict, verdict.at)
            else:
                self._count_call(exchange, verdict, verdict.at)
        elif not verdict.allowed:
            self._refused(exchange, verdict)

    def of_entry(self, source: Source) -> Use | None:
        """Return the use of an origin's entry."""
        self._end_run()
        return self._entries.get(source)

    def of_name(self, kind: str, route: str | None, name: str) -> Use | None:
        """Return the use of a "method" or a "header" on a route."""
        self._end_run()
        return self._names.get((kind, route, name))

    def carry_over(self, before: Policy, after: Policy) -> None:
        """Move the counts to the entries' places in the new policy."""
        self._end_run()
        known = {
            (name, text): self._entries[source]
            for name, text, source in _origins(before)
            if source in self._entries
        }
        self._entries = {
            source: known[name, text]
            for name, text, source in _origins(after)
            if (name, text) in known
        }

    def _count_call(self, exchange: Exchange, verdict: Verdict, at: Source) -> None:
        run, method = self._run, exchange.request.method
        if at is not run.at or method != run.method or verdict.route != run.route:
            self._end_run()
            run = self._run = Run(at, method, verdict.route)
        run.calls += 1
        run.last = exchange.started

    def _end_run(self) -> None:
        run = self._run
        if run.at is None or not run.calls:
            return
        for use in (self._of_entry(run.at), self._of_name("method", run.route, run.method)):
            if use is not None:
                use.calls += run.calls
                use.last = run.last
        run.calls = 0

    def _count_preflight(self, exchange: Exchange, verdict: Verdict, at: Source) -> None:
        method = exchange.value(b"access-control-request-method") or b""
        uses = [self._of_entry(at), self._of_name("method", verdict.route, text_of(method))]
        asked = exchange.value(b"access-control-request-headers") or b""
        uses += [
            self._of_name("header", verdict.route, text_of(name.strip()))
            for name in asked.split(b",")
        ]
        for use in uses:
            if use is not None:
                use.preflights += 1
                use.last = exchange.started

    def _of_entry(self, at: Source) -> Use:
        use = self._entries.get(at)
        if use is None:
            use = self._entries[at] = Use()
        return use

    def _of_name(self, kind: str, route: str | None, name: str) -> Use | None:
        """Return the use of a name, a new one if needed; None if there are too many names."""
        use = self._names.get((kind, route, name))
        if use is None and name and len(self._names) < _MOST_NAMES:
            use = self._names[kind, route, name] = Use()
        return use

    def _refused(self, exchange: Exchange, verdict: Verdict) -> None:
        origin = text_of(exchange.value(b"origin") or b"")[:512]
        method = exchange.request.method
        if verdict.kind is Kind.PREFLIGHT:
            method = text_of(exchange.value(b"access-control-request-method") or b"")[:64]
        refused = Refused(str(verdict.code), verdict.subject[:512], origin, method, verdict.route)
        self._observe(exchange, origin, method, is_preflight=verdict.kind is Kind.PREFLIGHT)
        # Removed and inserted again, so that the least recent one comes first.
        use, _ = self.refusals.pop(refused, (Use(), 0))
        if verdict.kind is Kind.PREFLIGHT:
            use.preflights += 1
        else:
            use.calls += 1
        use.last = exchange.started
        self.refusals[refused] = use, exchange.row
        if len(self.refusals) > MOST_REFUSALS:
            del self.refusals[next(iter(self.refusals))]

    def _observe(self, exchange: Exchange, origin: str, method: str, *, is_preflight: bool) -> None:
        asked = exchange.value(b"access-control-request-headers") if is_preflight else None
        names = [name.strip() for name in text_of(asked or b"").split(",")]
        call = observed_call(origin, text_of(exchange.request.target), method, names)
        if call is not None:
            self.observations.append(Observation(call, True, timestamp(exchange.started)))
