"""What is known about a finished exchange, and the interfaces of its receivers.

The server makes one `ExchangeRecord` per exchange, and none if nothing needs it. Nothing here
is escaped or redacted: that is up to whatever shows a record.
"""

from contextlib import AbstractContextManager
from typing import Final, Protocol

from corsproxy.core.advice.diagnosis import Ended
from corsproxy.core.client_address import client_address
from corsproxy.core.decision import Forward
from corsproxy.core.messages import ClientHead, Fields, RequestHead, UpstreamHead
from corsproxy.core.outcome.outcome import Outcome
from corsproxy.core.outcome.outlook import Outlook
from corsproxy.core.policy import Policy
from corsproxy.core.verdicts import Verdict

CLIENT_LEFT = 499
"""The status of an exchange whose client left before a response; no standard has one."""


class ExchangeRecord:
    """One exchange, from the first byte of its head to the last byte of its response. Immutable.

    It only refers to objects that the exchange made anyway, so making one copies nothing.
    """

    __slots__ = (
        "detail", "duration_s", "error", "forward", "outcome", "outlook", "policy", "received",
        "request", "response", "sent", "started", "status", "upstream_head", "upstream_s",
        "verdict",
    )  # fmt: skip

    def __init__(
        self,
        request: RequestHead,
        policy: Policy,
        verdict: Verdict,
        status: int,
        *,
        started: float = 0.0,
        duration_s: float = 0.0,
        sent: int = 0,
        received: int = 0,
        upstream_s: float | None = None,
        error: str | None = None,
        detail: str | None = None,
        forward: Forward | None = None,
        upstream_head: UpstreamHead | None = None,
        response: ClientHead | None = None,
        outcome: Outcome | None = None,
        outlook: Outlook | None = None,
    ) -> None:
        self.request: Final = request
        """As received, credentials included; without method, target and fields if the bytes were
        not a request."""
        self.policy: Final = policy
        """The policy under which it was decided."""
        self.verdict: Final = verdict
        self.status: Final = status
        """Of the response that was sent, or CLIENT_LEFT."""
        self.started: Final = started
        """Seconds since the epoch."""
        self.duration_s: Final = duration_s
        self.sent: Final = sent
        """Bytes written to the client, heads included."""
        self.received: Final = received
        """Bytes of the request's content, or of the client's side of a tunnel."""
        self.upstream_s: Final = upstream_s
        """Seconds until the upstream's response head arrived; None if it never did."""
        self.error: Final = error
        """Why the exchange ended early: "client-left", "client-stalled", "shutdown", or the code
        of a failure after the response head was sent."""
        self.detail: Final = detail
        """What was wrong with the upstream, as one sentence; None if nothing was."""
        self.forward: Final = forward
        """The decision to forward, with the route and the request as sent; None if it was answered
        here."""
        self.upstream_head: Final = upstream_head
        """The response head as the upstream sent it; None if it never arrived."""
        self.response: Final = response
        """The response head as it was sent, without Connection and an added Date; None if none was
        sent."""
        self.outcome: Final = outcome
        """What the page gets of the response; None if the question does not arise."""
        self.outlook: Final = outlook
        """What the page could expect; None if the bytes were not a request."""

    @property
    def ended(self) -> Ended:
        """The facts that advice depends on."""
        fields = () if self.response is None else self.response.fields
        return Ended(
            self.policy,
            self.request,
            self.verdict,
            self.status,
            fields,
            None if self.outlook is None else self.outlook.call,
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
        """The IP address that the connection came from; empty if there is none."""
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
        """The Origin as received; for a refused request all lines, joined as one list."""
        if self.verdict.allowed:
            return self.value(b"origin")
        lines = self.values(b"origin")
        return b", ".join(lines) if lines else None

    @property
    def traceparent(self) -> bytes | None:
        """The trace that the request belongs to (W3C Trace Context); not validated."""
        return self.value(b"traceparent")


class Journal(Protocol):
    """Takes a record of every exchange. Must not raise, and must not block."""

    def exchange(self, record: ExchangeRecord) -> None: ...


class Streams(Protocol):
    """Is told about event streams when they begin. Must not raise, and must not block."""

    def open(self, record: ExchangeRecord) -> AbstractContextManager[None]:
        """Take the record so far; the stream is over when the context is left."""
        ...
