"""One run of the command, from listening sockets to the last byte.

Start: no request is answered until everything is ready. Stop, on SIGTERM or SIGINT:
readiness is withdrawn, requests are still accepted for `drain_delay` while load balancers
notice, then the listeners close and exchanges in flight may finish within
`shutdown_grace`. A second signal stops at once. SIGHUP reloads.

`corsproxy drain` announces the end before the signal. The run is then a lame duck: not
ready, each response the last of its connection, and requests still accepted for as long
as needed. A signal that follows skips `drain_delay`.

A `Workforce` answers the requests: this process, or worker processes.
"""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from corsproxy.config.problems import Problem
from corsproxy.config.reader import Reading
from corsproxy.core.policy import Policy
from corsproxy.shell.admin.controls import Controls, Phase
from corsproxy.shell.admin.figures import Figures, Snapshot, WorkerState
from corsproxy.shell.feed.announcements import Terms
from corsproxy.shell.feed.watching import Observer
from corsproxy.shell.run.keyboard import Keys
from corsproxy.shell.run.reload import Reloader
from corsproxy.shell.system.binding import Bound, Listeners
from corsproxy.shell.system.notify import notify
from corsproxy.shell.upstream.forward_proxy import ForwardProxies

if TYPE_CHECKING:
    from corsproxy.shell.admin.application import Mount
    from corsproxy.shell.admin.inspector.capture import Policies
    from corsproxy.shell.admin.listener import AdminListener

KEYS_HELP = """
  h  this help          r  reload the file
  u  the URLs again     c  clear the screen
  q  stop{a}
  Each is followed by Enter.
"""
_OFFER_HELP = f"{'':15}a  allow what was refused last"

_STDIN = 0
# The signals' conventional exit codes start here.
_SIGNALLED = 128


class PolicyFile(NamedTuple):
    """The file that the policy was read from, to be watched."""

    name: str
    content: bytes
    warnings: tuple[Problem, ...]
    """Those of `content`, already reported."""
    read: Callable[[bytes], Reading]
    """Called in a thread. Raises ConfigError, or StartError because of files that it names."""


class Workforce(Protocol):
    """The processes that answer requests."""

    @property
    def is_listening(self) -> bool:
        """Whether every connection will be accepted."""
        ...

    async def start(self) -> None:
        """Accept connections. Raises StartError."""
        ...

    async def adopt(self, policy: Policy, content: bytes) -> None:
        """Decide by `policy`, read from `content`; returns once every process does."""
        ...

    def watch(self, observer: Observer) -> None:
        """Have `observer` see every exchange of this process from now on."""
        ...

    async def figures(self) -> Figures:
        """Return the counters, summed over all processes."""
        ...

    def workers(self) -> Sequence[WorkerState]:
        """Return the state of each worker process, if there are any."""
        ...

    async def become_lame_duck(self) -> int:
        """Make every response the last of its connection, but still accept; returns the number
        of requests in flight."""
        ...

    async def begin_drain(self, delay: float) -> int:
        """Do the same, and stop accepting after `delay` seconds."""
        ...

    async def finish_drain(self) -> None:
        """Return when the last response is over."""
        ...

    def abandon(self) -> None:
        """Abort everything still in progress."""
        ...


class Run:
    """Everything that lives as long as the process listens."""

    def __init__(
        self,
        policy: Policy,
        listeners: Listeners,
        file: PolicyFile | None,
        terms: Terms,
        workforce: Workforce,
    ) -> None:
        """Takes ownership of the sockets. Must be called while the event loop runs."""
        self._loop = asyncio.get_running_loop()
        self._policy = policy
        self._listeners = listeners
        self._terms = terms
        self._workforce = workforce
        self._started = time.time()
        self._phase = Phase.STARTING
        self._stop = asyncio.Event()
        self._main: asyncio.Task[int] | None = None
        self._signalled: int | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._had_terminal = os.isatty(_STDIN)
        self._announcer = terms.announcer
        self._reloader = None if file is None else self._watcher(file, policy)
        self._admin: AdminListener | None = None
        self._is_lame_duck = False
        self._policies: Policies | None = None
        """Those that have decided, for the inspector."""

    async def until_stopped(self) -> int:
        """Answer requests until a signal or a key says stop. Returns the exit code.

        Raises StartError.
        """
        self._main = asyncio.current_task()
        self._install_signals()
        watch: asyncio.Task[None] | None = None
        keys: Keys | None = None
        try:
            if self._listeners.admin is not None:
                self._admin = await self._administer(self._listeners.admin)
            await self._workforce.start()
            if self._reloader is not None:
                watch = asyncio.create_task(self._reloader.watch())
            if self._terms.interactive:
                keys = self._listen_to_keys()
            self._ready()
            if self._terms.interactive:
                self._spawn(self._greet_upstreams())
            await self._stop.wait()
            await self._drain()
        except asyncio.CancelledError:
            if self._signalled is not None:
                return _SIGNALLED + self._signalled
            if not self._stop.is_set():
                raise
            return 0
        finally:
            if keys is not None:
                keys.stop()
            if watch is not None:
                watch.cancel()
            self._workforce.abandon()
            self._listeners.close()
        self._announcer.stopped()
        return 0

    # -- starting -----------------------------------------------------------------------

    async def _administer(self, bound: Bound) -> "AdminListener":
        # Imported here: the web framework takes memory that a run without an admin listener saves.
        from corsproxy.shell.admin.application import application
        from corsproxy.shell.admin.listener import AdminListener

        controls = Controls(
            phase=self._current_phase,
            policy=lambda: self._policy,
            snapshot=self._snapshot,
            drain=self._become_lame_duck,
        )
        mount = None if self._terms.token is None else self._inspect(self._terms.token, bound)
        app = application(controls, is_loopback=bound.is_loopback, mount=mount)
        admin = AdminListener(app)
        await admin.start(bound.sockets)
        return admin

    def _inspect(self, token: str, bound: Bound) -> "Mount":
        """Have the inspector see every exchange; returns the mount for its pages."""
        from corsproxy.shell.admin.inspector.assembly import inspection
        from corsproxy.shell.admin.inspector.replay import Listener

        name = None if self._reloader is None else self._reloader.file
        begun = inspection(
            self._policy,
            admin_port=bound.address.port,
            listener=Listener.of(self._listeners.proxy[0]),
            file=name,
            adopt=self._widen,
            reload=self._check_file,
            note=self._announcer.note,
            token=token,
        )
        self._workforce.watch(begun.capture)
        self._policies = begun.policies
        return begun.inspector.add_to

    def _ready(self) -> None:
        if not self._is_lame_duck:
            self._phase = Phase.READY
        notify("READY=1")
        proxy, admin = self._listeners.proxy, self._listeners.admin
        self._announcer.ready(
            self._terms.banner(self._policy, True),
            [bound.url for bound in proxy],
            [endpoint for bound in proxy for endpoint in bound.endpoints],
            None if admin is None else admin.url,
            self._terms.inspector,
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
            # Event loops on Windows do not support signals; the interpreter does.
            def forward(*_: object) -> None:
                self._loop.call_soon_threadsafe(action, number)

            signal.signal(number, forward)

    def _unknown_key(self, typed: str) -> None:
        self._announcer.note(f"{typed} is not a command: press h + enter for help")

    def _listen_to_keys(self) -> Keys:
        refusals = self._terms.refusals
        help = KEYS_HELP.format(a="" if refusals is None else _OFFER_HELP)
        actions: dict[str, Callable[[], None]] = {
            "h": lambda: self._announcer.note(help),
            "?": lambda: self._announcer.note(help),
            "u": lambda: self._announcer.note(self._terms.banner(self._policy, False)),
            "r": self._reload,
            "c": self._announcer.clear,
            "q": self._stop.set,
        }
        keys = Keys(_STDIN, actions, self._unknown_key)
        if refusals is not None:
            # The file editor is needed only at a terminal.
            from corsproxy.shell.run.offer import Offer

            name = None if self._reloader is None else self._reloader.file
            offer = Offer(name, refusals, self._announcer, self._check_file, self._widen)
            actions["a"] = lambda: self._spawn(offer.make(self._policy, keys.answer))
        # Otherwise a background process that reads from its terminal is stopped.
        signal.signal(signal.SIGTTIN, signal.SIG_IGN)
        keys.start()
        return keys

    async def _greet_upstreams(self) -> None:
        """Say at start-up whether the upstreams can be reached."""
        from corsproxy.shell.upstream.connect import Dialer
        from corsproxy.shell.upstream.greeting import greetings

        dialer = Dialer(ForwardProxies.of_environment(os.environ))
        async for sentence, answers in greetings(self._policy, dialer):
            self._announcer.greeted(sentence, answers=answers)

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

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

    async def _widen(self, policy: Policy) -> None:
        """Decide by a policy that is not in the file."""
        await self._adopt(policy, b"")

    async def _adopt(self, policy: Policy, content: bytes) -> None:
        await self._workforce.adopt(policy, content)
        self._policy = policy
        if self._policies is not None:
            self._policies.adopt(policy)

    def _reload(self) -> None:
        if self._reloader is None:
            self._announcer.note("There is no file to reload: the command line names the upstream.")
            return
        self._spawn(self._reloader.check(forced=True))

    async def _check_file(self) -> None:
        if self._reloader is not None:
            await self._reloader.check()

    def _hangup_signal(self, number: int) -> None:
        # SIGHUP has two meanings. If the terminal is gone, it asks the process to end.
        if self._had_terminal and not os.isatty(_STDIN):
            self._stop_signal(number)
        else:
            self._reload()

    # -- stopping -----------------------------------------------------------------------

    def _stop_signal(self, number: int) -> None:
        if self._stop.is_set():
            self._signalled = number
        self._stop.set()
        # Before the start is complete there is nothing to wait for, and a second signal means
        # stop now.
        if self._main is not None and (self._phase is Phase.STARTING or self._signalled):
            self._main.cancel()

    def _become_lame_duck(self) -> None:
        if self._is_lame_duck or self._stop.is_set():
            return
        self._is_lame_duck = True
        self._phase = Phase.DRAINING
        self._spawn(self._tell_lame_duck())

    async def _tell_lame_duck(self) -> None:
        self._announcer.lame_duck(await self._workforce.become_lame_duck())

    async def _drain(self) -> None:
        self._phase = Phase.DRAINING
        notify("STOPPING=1")
        delay = 0.0 if self._is_lame_duck else self._policy.drain_delay
        in_flight = await self._workforce.begin_drain(delay)
        self._announcer.draining(in_flight, self._policy.shutdown_grace)
        await self._workforce.finish_drain()
        if self._admin is not None:
            await self._admin.close()

    # -- telling ------------------------------------------------------------------------

    def _current_phase(self) -> Phase:
        if self._phase is Phase.READY and not self._workforce.is_listening:
            return Phase.STARTING
        return self._phase

    async def _snapshot(self) -> Snapshot:
        reloader = self._reloader
        return Snapshot(
            await self._workforce.figures(),
            True if reloader is None else reloader.succeeded,
            self._started if reloader is None else reloader.succeeded_at,
            self._workforce.workers(),
            self._terms.outlet.lost,
        )


async def run(
    policy: Policy,
    listeners: Listeners,
    file: PolicyFile | None,
    terms: Terms,
    workforce: Callable[[], Workforce],
) -> int:
    """Run until stopped, and return the exit code. Raises StartError."""
    return await Run(policy, listeners, file, terms, workforce()).until_stopped()
