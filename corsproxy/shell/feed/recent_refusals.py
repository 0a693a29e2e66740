"""What a terminal has shown: refusals, the last one known, and advice, counted.

Distinct refusals are told apart by verdict and by origin as received. Clients choose both, so
they are few and short.
"""

from collections import OrderedDict
from collections.abc import Iterator

from corsproxy.core.outcome.outcome import is_lost
from corsproxy.core.verdicts import Code, Verdict
from corsproxy.shell.feed.records import ExchangeRecord

_MOST = 256
_LONGEST = 512
_CREDENTIALS = "InvalidAllowCredentials"


class Refusals:
    """Holds what is shown until it is told to forget."""

    def __init__(self) -> None:
        self._verdicts: OrderedDict[tuple[Verdict, bytes], int] = OrderedDict()

    def note(self, record: ExchangeRecord) -> None:
        """Take down an exchange that was refused, or that the browser keeps from its page."""
        verdict = record.verdict
        outcome = record.outcome
        if verdict.allowed and is_lost(outcome):
            if outcome is None or outcome.error != _CREDENTIALS:
                return
            verdict = _without_credentials(record)
        self.count(verdict, record.origin or b"")

    def count(self, verdict: Verdict, origin: bytes) -> int:
        """Return how often the same has been refused, this time included."""
        key = (verdict._replace(subject=verdict.subject[: _LONGEST * 8]), origin[:_LONGEST])
        count = self._verdicts.pop(key, 0) + 1
        self._verdicts[key] = count
        if len(self._verdicts) > _MOST:
            self._verdicts.popitem(last=False)
        return count

    def latest(self) -> Iterator[Verdict]:
        """Yield the verdicts, the last one first."""
        for verdict, _ in reversed(self._verdicts):
            yield verdict

    def asked(self) -> Iterator[tuple[Verdict, bytes]]:
        """Yield the verdicts with the origin that asked, as received, the last one first."""
        yield from reversed(self._verdicts)

    def forget(self) -> None:
        """Begin anew: the policy has changed."""
        self._verdicts.clear()


def _without_credentials(record: ExchangeRecord) -> Verdict:
    """Return the verdict of the browser, which the proxy could not know beforehand."""
    route = None if record.forward is None else record.forward.route
    at = record.verdict.at
    if route is not None and not isinstance(route.cors, str):
        at = route.cors.credentials_source
    code = Code.CREDENTIALS_NOT_ALLOWED
    return record.verdict._replace(code=code, allowed=False, at=at, subject="credentials")


class Told:
    """Counts pieces of advice by cause and subject."""

    def __init__(self) -> None:
        self._counts: OrderedDict[tuple[str, str], int] = OrderedDict()

    def count(self, cause: str, subject: str) -> int:
        """Return how often there was the same to say, this time included."""
        key = (cause, subject[:_LONGEST])
        count = self._counts.pop(key, 0) + 1
        self._counts[key] = count
        if len(self._counts) > _MOST:
            self._counts.popitem(last=False)
        return count

    def forget(self) -> None:
        self._counts.clear()
