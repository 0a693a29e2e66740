"""What all connections of the proxy share."""

from corsproxy.core.policy import Policy
from corsproxy.shell.feed.records import Journal, Streams
from corsproxy.shell.feed.watching import Observer
from corsproxy.shell.upstream.upstream import Upstream


class Service:
    """The policy in force, the upstreams, and the receivers of records.

    Replacing `policy` is a reload. An exchange reads it once and keeps what it read.
    """

    __slots__ = (
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
        self.observer: Observer | None = None
        """Watches exchanges while they last."""
        self.streams: Streams | None = None
        """Is told of event streams as they open, if there are records."""
        self.draining = False
        """Whether every response is the last one on its connection."""
        self.is_lame_duck = False
        """Whether clients are to be sent elsewhere as soon as they have made a request."""

    @property
    def wants_records(self) -> bool:
        """Whether records of exchanges are needed."""
        return self.journal is not None or self.observer is not None
