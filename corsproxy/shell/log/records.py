"""What is known about an exchange when it is over, and who may want to know.

The server makes one `ExchangeRecord` per exchange, and none at all while nobody listens.
Nothing here is escaped or left out: whoever shows a record decides what may be shown.
"""

from typing import NamedTuple, Protocol

from corsproxy.core.messages import Fields
from corsproxy.core.verdicts import Verdict

CLIENT_LEFT = 499
"""The status of an exchange whose client left before an answer; no standard has one."""


class ExchangeRecord(NamedTuple):
    """One exchange, from the first byte of its head to the last byte of its answer."""

    started: float
    """Seconds since the epoch."""
    duration_s: float
    client: str
    """The peer's IP address; empty where there is none."""
    method: str
    """Empty, like `target` and `fields`, where the bytes were no request."""
    target: bytes
    status: int
    """Of the response that was sent, or CLIENT_LEFT."""
    fields: Fields
    """The request's field lines as received, credentials included."""
    verdict: Verdict
    sent: int
    """Bytes written to the client, heads included."""
    received: int
    """Bytes of the request's content, or of the client's side of a tunnel."""
    upstream_s: float | None
    """Seconds until the upstream's response head was there; None if it never was."""
    error: str | None
    """What cut the exchange short: "client-left", "client-stalled", "shutdown", or the
    code of a failure after the response head was sent."""
    detail: str | None = None
    """What was wrong with the upstream, as one sentence; None where nothing was."""

    def value(self, name: bytes) -> bytes | None:
        """Return the first value of the request field `name`, given in lower case."""
        for key, value in self.fields:
            if len(key) == len(name) and key.lower() == name:
                return value
        return None

    @property
    def origin(self) -> bytes | None:
        """The Origin as received; of a refused request all lines, as one list."""
        if self.verdict.allowed:
            return self.value(b"origin")
        lines = [value for name, value in self.fields if name.lower() == b"origin"]
        return b", ".join(lines) if lines else None

    @property
    def traceparent(self) -> bytes | None:
        """The trace that the request belongs to (W3C Trace Context); not validated."""
        return self.value(b"traceparent")


class Journal(Protocol):
    """Takes a record of every exchange. Must not raise, and must not wait."""

    def exchange(self, record: ExchangeRecord) -> None: ...


class Counts(Protocol):
    """Takes of every exchange only what is counted: a third of the work of a record."""

    def count(
        self,
        method: str,
        verdict: Verdict,
        status: int,
        upstream_s: float | None,
        error: str | None,
    ) -> None:
        """Count an exchange that is over; the parameters are those of its record."""
        ...
