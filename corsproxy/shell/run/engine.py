"""The proxy without the process around it: sockets in, responses, log lines and figures out.

A run has one engine, or one per worker process.
"""

import asyncio
import gc
import os
import socket
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from corsproxy.core.advice.diagnosis import (
    MOST_STREAMS,
    Advice,
    about_streams,
    about_unfollowed,
    advise,
)
from corsproxy.core.advice.operation import PRESS_A, PRESS_A_QUICK
from corsproxy.core.advice.settings import is_quick
from corsproxy.core.policy import Policy
from corsproxy.shell.admin.figures import Figures
from corsproxy.shell.feed.announcements import Announcer, LineFormat
from corsproxy.shell.feed.journal import JsonLines, LineJournal
from corsproxy.shell.feed.open_streams import OpenStreams
from corsproxy.shell.feed.recent_refusals import Refusals
from corsproxy.shell.feed.records import ExchangeRecord
from corsproxy.shell.feed.text_lines import TextLines
from corsproxy.shell.feed.unfollowed import Unfollowed
from corsproxy.shell.feed.watching import Observer
from corsproxy.shell.listener.server import ProxyServer
from corsproxy.shell.system.binding import BACKLOG, endpoint_of
from corsproxy.shell.system.descriptors import DescriptorWatch
from corsproxy.shell.system.memory import CrowdWatch, give_back
from corsproxy.shell.upstream.connect import Dialer
from corsproxy.shell.upstream.forward_proxy import ForwardProxies
from corsproxy.shell.upstream.pool import UpstreamPools

if TYPE_CHECKING:
    from corsproxy.shell.certificates.served import ServedCertificate


# How long to wait for upstream connections that do not close.
_POOLS_SECONDS = 1.0


class Engine:
    """Answers requests between `listen` and `finish_drain`."""

    def __init__(
        self,
        policy: Policy,
        write: Callable[[str], None],
        form: LineFormat,
        *,
        color: bool,
        refusals: Refusals | None = None,
        https: Iterable[str] = (),
    ) -> None:
        """Must be called while the event loop runs. `write` takes whole lines of the log.
        `refusals` collects refusals for the terminal, which offers the edit that allows the last
        one; None without a terminal. `https` lists the endpoints that speak TLS, written as by
        `endpoint_of`.

        Raises StartError if there is no certificate, or if an upstream needs a forward proxy
        from the environment that cannot be used.
        """
        self._offers = refusals is not None
        self._text = TextLines(self._advice, color=color, refusals=refusals)
        lines = self._text if form == "text" else JsonLines()
        self._streams = OpenStreams(self._tell_opened) if form == "text" else None
        self._figures = Figures()
        self._write = write
        self._unfollowed = Unfollowed(self._tell_unfollowed, lambda: self.in_flight > 0)
        self._journal = LineJournal(write, lines, policy.log.requests, self._figures)
        if form == "text":
            self._journal.listeners.append(self._unfollowed)
        proxies = ForwardProxies.of_environment(os.environ)
        proxies.check(route.upstream for route in policy.routes)
        self._pools = UpstreamPools(Dialer(proxies))
        self._server = ProxyServer(policy, self._pools)
        self._tell(policy)
        announcer = Announcer(write, form, color=color)
        self._descriptors = DescriptorWatch(announcer.out_of_descriptors)
        self._crowds = CrowdWatch(lambda: self._server.weight)
        self._https = frozenset(https)
        self._certificate = self._served(announcer) if self._https else None
        self._listening: dict[socket.socket, asyncio.Server] = {}

    @property
    def policy(self) -> Policy:
        """The policy in force."""
        return self._server.policy

    @property
    def in_flight(self) -> int:
        """How many requests are being answered."""
        return self._server.in_flight

    async def listen(self, sockets: Sequence[socket.socket]) -> None:
        """Accept connections on exactly these sockets, and take ownership of them."""
        loop = asyncio.get_running_loop()
        for each in set(self._listening) - set(sockets):
            # Otherwise clients that the kernel has already accepted would get a reset.
            waiting, accept = _accepted(each), self._accepting(each)
            self._listening.pop(each).close()
            for connection in waiting:
                await loop.connect_accepted_socket(accept, connection)
        for each in sockets:
            if each not in self._listening:
                accept = self._accepting(each)
                server = await loop.create_server(accept, sock=each, backlog=BACKLOG)
                self._listening[each] = server
        if sockets:
            self._descriptors.start(sockets[0].fileno())
            self._crowds.start()
        else:
            self._descriptors.stop()
            self._crowds.stop()

    def _served(self, announcer: Announcer) -> "ServedCertificate":
        # Imported here because only https needs it.
        from corsproxy.shell.certificates.served import ServedCertificate

        return ServedCertificate(self.policy, announcer.about_certificate)

    def _accepting(self, listening: socket.socket) -> Callable[[], asyncio.BaseProtocol]:
        """Return the protocol factory for clients of this socket."""
        if self._certificate is None or endpoint_of(listening) not in self._https:
            return self._server
        return self._server.over_tls(self._certificate.current, self._certificate.distrusted)

    def adopt(self, policy: Policy) -> None:
        """Decide by `policy` from the next request on."""
        if self._certificate is not None:
            self._certificate.adopt(policy)
        if policy != self._server.policy:
            self._text.forget()
        self._server.policy = policy
        self._tell(policy)
        self._pools.forget_routes()

    def watch(self, observer: Observer) -> None:
        """Have `observer` see every exchange from the next one on."""
        self._server.service.observer = observer

    def _tell(self, policy: Policy) -> None:
        """Connect the observers that this policy calls for, with the detail they need."""
        service, requests = self._server.service, policy.log.requests
        self._journal.requests = requests
        self._journal.quiet = policy.log.quiet
        # Only the admin listener shows the counts.
        counts = None if policy.admin is None else self._figures
        service.journal = counts if requests == "none" else self._journal
        service.streams = None if requests == "none" else self._streams

    def figures(self) -> Figures:
        """Return the counters with the gauges brought up to date; not a copy."""
        self._figures.set_gauges(self.in_flight, self._server.clients, self._pools.figures())
        return self._figures

    def begin_drain(self) -> None:
        """Make every response from now on the last of its connection."""
        self._server.draining = True

    def become_lame_duck(self) -> None:
        """Do the same, and ask clients on HTTP/2 to leave (GOAWAY; RFC 9113, 6.8)."""
        self._server.dismiss()

    async def finish_drain(self, delay: float = 0.0) -> None:
        """Accept for `delay` seconds more, then stop; return when the last exchange is over."""
        self._unfollowed.close()
        await asyncio.sleep(delay)
        await self.listen(())
        await self._server.drain(self.policy.shutdown_grace)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._pools.close(), _POOLS_SECONDS)

    def _tell_unfollowed(self, record: ExchangeRecord) -> None:
        advice = self._with_offer(about_unfollowed(record.ended), record.policy)
        said = self._text.remark(advice, record.origin or b"")
        if said:
            self._write(said)

    def _tell_opened(self, record: ExchangeRecord, count: int) -> None:
        hint = ""
        if count >= MOST_STREAMS:
            hint = self._text.remark(about_streams(record.ended), record.origin or b"")
        if hint or self._journal.wants(record):
            self._write(self._text.opened(record, count) + hint)

    def _advice(self, record: ExchangeRecord) -> list[Advice]:
        found = advise(record.ended)
        if found:
            found[0] = self._with_offer(found[0], record.policy)
        return found

    def _with_offer(self, advice: Advice, policy: Policy) -> Advice:
        """Add the key to press, if one makes the edit."""
        if not self._offers or not advice.remedies:
            return advice
        return advice._replace(
            lines=(*advice.lines, PRESS_A_QUICK if is_quick(policy) else PRESS_A)
        )


def _accepted(listener: socket.socket) -> list[socket.socket]:
    """Accept and return the connections waiting in the backlog."""
    waiting = []
    with suppress(OSError):
        while True:
            connection, _ = listener.accept()
            connection.setblocking(False)
            waiting.append(connection)
    return waiting


def freeze_startup_objects() -> None:
    """Exempt the objects made so far, which live as long as the process, from garbage
    collection: walking them would delay every request by some ten milliseconds. Memory left
    over from importing is returned to the system."""
    gc.collect()
    give_back()
    gc.freeze()
