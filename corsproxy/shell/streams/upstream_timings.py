"""When each step towards an upstream happened, for an observer of the exchange.

A module of its own because it is compiled: every watched exchange has them.
"""

from corsproxy.shell.system.compiling import mypyc_attr


@mypyc_attr(allow_interpreted_subclasses=True)
class UpstreamTimings:
    """When each step of asking an upstream happened, by `time.perf_counter`; 0.0 for steps that
    did not: a kept connection is not connected again."""

    __slots__ = ("connected", "connecting", "secured", "sending")

    def __init__(self) -> None:
        self.connecting = 0.0
        """The request was within limits.in_flight, and no idle connection was available."""
        self.connected = 0.0
        """The connection was made, before TLS."""
        self.secured = 0.0
        """The TLS handshake was over."""
        self.sending = 0.0
        """The request's head was written."""
