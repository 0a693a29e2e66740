"""One run of the proxy, from listening sockets to the last byte.

Start: nothing answers before everything can. Stop, on SIGTERM or SIGINT: readiness goes
first, then for `drain_delay` requests are still taken while load balancers learn of it,
then the listeners close and what is in flight may finish within `shutdown_grace`. A
second signal ends it at once. SIGHUP reloads.
"""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NamedTuple

from corsproxy.config.problems import Problem
from corsproxy.config.reader import Reading
from corsproxy.core.policy import CorsRules, Policy
from corsproxy.core.remedies import hint_for
from corsproxy.core.verdicts import Verdict
from corsproxy.shell.admin import AdminListener, Phase
from corsproxy.shell.announcements import Terms
from corsproxy.shell.binding import BACKLOG, Listeners
from corsproxy.shell.journal import JsonLines, LineJournal, TextLines
from corsproxy.shell.keys import Keys
from corsproxy.shell.metrics import Gauges, Metrics
from corsproxy.shell.notify import notify
from corsproxy.shell.pool import UpstreamPools
from corsproxy.shell.reload import Reloader
from corsproxy.shell.server import ProxyServer, require_native_parser

KEYS_HELP = """
  h  this help          r  reload the file
  u  the URLs again     c  clear the screen
  q  stop
  Each is followed by Enter.
"""

_STDIN = 0
# The signals' conventional exit codes start here.
_SIGNALLED = 128
# Connections to upstreams that do not want to end.
_POOLS_SECONDS = 1.0


class PolicyFile(NamedTuple):
    """The file that the policy came from, to be watched."""

    name: str
    content: bytes
    warnings: tuple[Problem, ...]
    """Those of `content`, which have been told."""
    read: Callable[[bytes], Reading]
    """Raises ConfigError, or StartError for files that it names; called in a thread."""


class Run:
    """Everything that lives as long as the process listens."""

    def __init__(
        self, policy: Policy, listeners: Listeners, file: PolicyFile | None, terms: Terms
    ) -> None:
        """Must be called while the event loop runs; takes the sockets over."""
        self._loop = asyncio.get_running_loop()
        self._listeners = listeners
        self._terms = terms
        self._started = time.time()
        self._phase = Phase.STARTING
        self._stop = asyncio.Event()
        self._main: asyncio.Task[int] | None = None
        self._signalled: int | None = None
        self._reloading: set[asyncio.Task[None]] = set()
        self._had_terminal = os.isatty(_STDIN)
        self._announcer = terms.announcer
        self._text = TextLines(self._hint, color=terms.announcer.color)
        lines = self._text if terms.announcer.form == "text" else JsonLines()
        metrics = Metrics()
        self._journal = LineJournal(terms.write, lines, policy.log.requests, metrics)
        self._pools = UpstreamPools()
        self._server = ProxyServer(policy, self._pools, self._journal)
        self._reloader = None if file is None else self._watcher(file, policy)
        self._admin = AdminListener(
            metrics,
            phase=lambda: self._phase,
            policy=lambda: self._server.policy,
            gauges=self._gauges,
        )

    async def until_stopped(self) -> int:
        """Answer requests until a signal or a key says stop. Returns the exit code."""
        self._main = asyncio.current_task()
        self._install_signals()
        watch: asyncio.Task[None] | None = None
        keys: Keys | None = None
        listening: list[asyncio.Server] = []
        try:
            if self._listeners.admin is not None:
                await self._admin.start(self._listeners.admin.sockets)
            for each in [each for bound in self._listeners.proxy for each in bound.sockets]:
                server = await self._loop.create_server(self._server, sock=each, backlog=BACKLOG)
                listening.append(server)
            if self._reloader is not None:
                watch = asyncio.create_task(self._reloader.watch())
            if self._terms.interactive:
                keys = self._listen_to_keys()
            self._ready()
            await self._stop.wait()
            await self._drain(listening)
        except asyncio.CancelledError:
            if self._signalled is None:
                raise
            return _SIGNALLED + self._signalled
        finally:
            if keys is not None:
                keys.stop()
            if watch is not None:
                watch.cancel()
            self._listeners.close()
        self._announcer.stopped()
        return 0

    # -- starting -----------------------------------------------------------------------

    def _ready(self) -> None:
        self._phase = Phase.READY
        notify("READY=1")
        policy = self._server.policy
        proxy, admin = self._listeners
        self._announcer.ready(
            self._terms.banner(policy, True),
            [bound.url for bound in proxy],
            [endpoint for bound in proxy for endpoint in bound.endpoints],
            None if admin is None else admin.url,
        )

    def _install_signals(self) -> None:
        for name in ("SIGTERM", "SIGINT"):
            self._on_signal(getattr(signal, name), self._stop_signal)
        if hasattr(signal, "SIGHUP"):
            self._on_signal(signal.SIGHUP, self._hangup_signal)

    def _on_signal(self, number: signal.Signals, action: Callable[[int], None]) -> None:
        try:
            self._loop.add_signal_handler(number, action, number)
        except NotImplementedError:
            # Windows' event loops have no signals; the interpreter has.
            def forward(*_: object) -> None:
                self._loop.call_soon_threadsafe(action, number)

            signal.signal(number, forward)

    def _listen_to_keys(self) -> Keys:
        keys = Keys(
            _STDIN,
            {
                "h": lambda: self._announcer.note(KEYS_HELP),
                "u": lambda: self._announcer.note(self._terms.banner(self._server.policy, False)),
                "r": self._reload,
                "c": self._announcer.clear,
                "q": self._stop.set,
            },
        )
        keys.start()
        return keys

    # -- reloading ----------------------------------------------------------------------

    def _watcher(self, file: PolicyFile, policy: Policy) -> Reloader:
        return Reloader(
            file.name,
            file.content,
            Reading(policy, file.warnings),
            read=file.read,
            adopt=self._adopt,
            reports=self._announcer,
        )

    def _adopt(self, policy: Policy) -> None:
        self._server.policy = policy
        self._journal.requests = policy.log.requests
        self._text.forget()

    def _reload(self) -> None:
        if self._reloader is None:
            self._announcer.note("There is no file to reload: the upstream came from a flag.")
            return
        task = asyncio.create_task(self._reloader.check(forced=True))
        self._reloading.add(task)
        task.add_done_callback(self._reloading.discard)

    def _hangup_signal(self, number: int) -> None:
        # SIGHUP has two meanings. When the terminal has gone, it is a request to end.
        if self._had_terminal and not os.isatty(_STDIN):
            self._stop_signal(number)
        else:
            self._reload()

    # -- stopping -----------------------------------------------------------------------

    def _stop_signal(self, number: int) -> None:
        if not self._stop.is_set():
            self._stop.set()
        elif self._main is not None:
            self._signalled = number
            self._main.cancel()

    async def _drain(self, listening: Sequence[asyncio.Server]) -> None:
        policy = self._server.policy
        self._phase = Phase.DRAINING
        notify("STOPPING=1")
        self._server.draining = True
        self._announcer.draining(self._server.in_flight, policy.shutdown_grace)
        # Connections that the kernel has accepted are taken before the listeners close.
        await asyncio.sleep(policy.drain_delay)
        for each in listening:
            each.close()
        await self._server.drain(policy.shutdown_grace)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._pools.close(), _POOLS_SECONDS)
        await self._admin.close()

    # -- telling ------------------------------------------------------------------------

    def _gauges(self) -> Gauges:
        reloader = self._reloader
        if reloader is None:
            return Gauges(self._server.in_flight, True, self._started)
        return Gauges(self._server.in_flight, reloader.succeeded, reloader.succeeded_at)

    def _hint(self, verdict: Verdict) -> str | None:
        policy = self._server.policy
        rules = policy.default_cors
        for route in policy.routes:
            if route.name == verdict.route and isinstance(route.cors, CorsRules):
                rules = route.cors
        if verdict.facts.status >= 500:
            return verdict.facts.title
        return hint_for(verdict, rules)


async def run(policy: Policy, listeners: Listeners, file: PolicyFile | None, terms: Terms) -> int:
    """Run until stopped, and return the exit code. Raises StartError."""
    require_native_parser()
    return await Run(policy, listeners, file, terms).until_stopped()
