"""Preflights that pass and are followed by nothing: the browser has blocked the call.

A preflight carries no cookie, so nothing in it says that the call is made with credentials.
Where the route does not allow them, the browser drops the call and says so only in its own
console. That no call comes is the only sign. The same holds for the first request of socket.io,
which needs no preflight and carries no cookie: another follows if the page may read the answer.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from corsproxy.core.advice.families import is_handshake
from corsproxy.core.policy import CorsRules, Policy
from corsproxy.core.verdicts import Code, Kind, Verdict
from corsproxy.shell.feed.records import ExchangeRecord

_PATIENCE_S: Final = 2.0
_MOST: Final = 64

_Key = tuple[bytes, bytes]


class Unfollowed:
    """Takes every record; tells of granted preflights that no call came after."""

    def __init__(
        self,
        tell: Callable[[ExchangeRecord], None],
        is_busy: Callable[[], bool],
        patience_s: float = _PATIENCE_S,
    ) -> None:
        """`is_busy` says whether calls are in progress: then it may be one of them that came."""
        self._tell = tell
        self._is_busy = is_busy
        self._patience_s = patience_s
        self._waiting: dict[_Key, asyncio.TimerHandle] = {}

    def exchange(self, record: ExchangeRecord) -> None:
        """Take the record of one exchange that is over."""
        key = (record.origin or b"", _subject(record.target))
        waiting = self._waiting.get(key)
        # It is asked again and again by clients that got no answer.
        if waiting is not None and is_handshake(record.target):
            return
        if waiting is not None:
            waiting.cancel()
            del self._waiting[key]
        lacks = may_lack_credentials(record.policy, record.verdict, record.target)
        if lacks and len(self._waiting) < _MOST:
            loop = asyncio.get_running_loop()
            self._waiting[key] = loop.call_later(self._patience_s, self._expire, key, record)

    def _expire(self, key: _Key, record: ExchangeRecord) -> None:
        del self._waiting[key]
        if not self._is_busy():
            self._tell(record)

    def close(self) -> None:
        """Wait for nothing more."""
        for waiting in self._waiting.values():
            waiting.cancel()
        self._waiting.clear()


def _subject(target: bytes) -> bytes:
    """Return what the calls that follow have in common with the first."""
    path, _, query = target.partition(b"?")
    return path if b"transport=polling" in query else target


def may_lack_credentials(policy: Policy, verdict: Verdict, target: bytes) -> bool:
    """Whether it is a granted preflight, or handshake, of a route that does not allow
    credentials."""
    if verdict.code is not Code.ORIGIN_ALLOWED or (
        verdict.kind is not Kind.PREFLIGHT and not is_handshake(target)
    ):
        return False
    routes = [each for each in policy.routes if each.name == verdict.route]
    rules = routes[0].cors if routes else None
    return isinstance(rules, CorsRules) and not rules.credentials and rules.origins.any is None
