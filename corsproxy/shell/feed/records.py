"""What is known about an exchange when it is over, and the interfaces of its receivers.

The server makes one `ExchangeRecord` per exchange, and none if nothing needs it. Nothing here
is escaped or left out: that is up to those who show a record.
"""

from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from corsproxy.core.advice.diagnosis import Ended
from corsproxy.core.client_address import client_address
from corsproxy.core.decision import Forward
from corsproxy.core.messages import ClientHead, Fields, RequestHead, UpstreamHead
from corsproxy.core.outcome.call import Call
from corsproxy.core.outcome.outcome import Outcome
from corsproxy.core.policy import Policy
from corsproxy.core.verdicts import Verdict

CLIENT_LEFT = 499
"""The status of an exchange whose client left before an answer; no standard has one."""


class ExchangeRecord(NamedTuple):
    """One exchange, from the first byte of its head to the last byte of its answer.

    It only refers to what the exchange made anyway, so that making one copies nothing.
    """

    request: RequestHead
    """As received, credentials included; without method, target and fields where the bytes
    were no request."""
    policy: Policy
    """Under which it was decided."""
    verdict: Verdict
    status: int
    """Of the response that was sent, or CLIENT_LEFT."""
    started: float = 0.0
    """Seconds since the epoch."""
    duration_s: float = 0.0
    sent: int = 0
    """Bytes written to the client, heads included."""
    received: int = 0
    """Bytes of the request's content, or of the client's side of a tunnel."""
    upstream_s: float | None = None
    """Seconds until the upstream's response head was there; None if it never was."""
    error: str | None = None
    """What cut the exchange short: "client-left", "client-stalled", "shutdown", or the
    code of a failure after the response head was sent."""
    detail: str | None = None
    """What was wrong with the upstream, as one sentence; None where nothing was."""
    forward: Forward | None = None
    """How it was to go to the upstream: its route and the request as sent; None where it
    was answered here."""
    upstream_head: UpstreamHead | None = None
    """The response head as the upstream sent it; None if it never was there."""
    response: ClientHead | None = None
    """The response head as it was sent, without Connection and an added Date; None where
    none was sent."""
    outcome: Outcome | None = None
    """What the page gets of the response; None where the question does not arise."""
    call: Call | None = None
    """The page's call; None if no page made the request."""

    @property
    def ended(self) -> Ended:
        """What advice depends on."""
        fields = () if self.response is None else self.response.fields
        return Ended(
            self.policy,
            self.request,
            self.verdict,
            self.status,
            fields,
            self.call,
            self.outcome,
            self.detail,
        )

    @property
    def method(self) -> str:
        return self.request.method

    @property
    def target(self) -> bytes:
        return self.request.target

    @property
    def fields(self) -> Fields:
        return self.request.fields

    @property
    def peer(self) -> str:
        """The IP address that the connection came from; empty where there is none."""
        return self.request.client

    @property
    def client(self) -> str:
        """The browser's IP address: behind `trusted_proxies` the one that they report."""
        return client_address(self.policy, self.request)

    def value(self, name: bytes) -> bytes | None:
        """Return the first value of the request field `name`, given in lower case."""
        for key, value in self.fields:
            if len(key) == len(name) and key.lower() == name:
                return value
        return None

    def values(self, name: bytes) -> list[bytes]:
        """Return the values of all request fields `name`, given in lower case."""
        return [value for key, value in self.fields if key.lower() == name]

    @property
    def origin(self) -> bytes | None:
        """The Origin as received; of a refused request all lines, as one list."""
        if self.verdict.allowed:
            return self.value(b"origin")
        lines = self.values(b"origin")
        return b", ".join(lines) if lines else None

    @property
    def traceparent(self) -> bytes | None:
        """The trace that the request belongs to (W3C Trace Context); not validated."""
        return self.value(b"traceparent")


class Journal(Protocol):
    """Takes a record of every exchange. Must not raise, and must not wait."""

    def exchange(self, record: ExchangeRecord) -> None: ...


class Streams(Protocol):
    """Is told of event streams when they begin. Must not raise, and must not wait."""

    def open(self, record: ExchangeRecord) -> AbstractContextManager[None]:
        """Take what is known so far; the stream is over when the context is left."""
        ...


class Counts(Protocol):
    """Takes of every exchange only what is counted: a third of the work of a record."""

    def count(
        self,
        method: str,
        verdict: Verdict,
        status: int,
        outcome: Outcome | None,
        upstream_s: float | None,
        error: str | None,
        duration_s: float,
        received: int,
        sent: int,
    ) -> None:
        """Count an exchange that is over; the parameters are those of its record."""
        ...
