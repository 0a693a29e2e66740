"""What all connections of the proxy share."""

from corsproxy.core.policy import Policy
from corsproxy.shell.feed.records import Counts, Journal, Streams
from corsproxy.shell.feed.watching import Observer
from corsproxy.shell.upstream.upstream import Upstream


class Service:
    """The policy in force, the way to the upstreams, and who is told.

    `policy` is one reference: replacing it between two requests is a reload, and an
    exchange that has read it once keeps what it read.
    """

    __slots__ = (
        "counts",
        "draining",
        "is_lame_duck",
        "journal",
        "observer",
        "policy",
        "streams",
        "upstream",
    )

    def __init__(self, policy: Policy, upstream: Upstream, journal: Journal | None) -> None:
        self.policy = policy
        self.upstream = upstream
        self.journal = journal
        self.counts: Counts | None = None
        """Who counts the exchanges where there is no journal."""
        self.observer: Observer | None = None
        """Who watches exchanges while they last."""
        self.streams: Streams | None = None
        """Who is told of event streams as they open; records must be wanted, too."""
        self.draining = False
        """Whether every response is to be the last one on its connection."""
        self.is_lame_duck = False
        """Whether clients are to be sent elsewhere as soon as they have made a request."""

    @property
    def wants_records(self) -> bool:
        """Whether anybody is told of exchanges."""
        return self.journal is not None or self.counts is not None or self.observer is not None
