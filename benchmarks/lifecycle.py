"""Scenarios that start each peer anew: start-up, memory, and the request log."""

import http.client
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from benchmarks.checks import open_websocket
from benchmarks.measure import LoadError, Sample
from benchmarks.peer import ORIGIN, Peer
from benchmarks.scenarios import MIB, Metric, Settings, load_requests
from benchmarks.stand import Running, Stand, UpstreamName, wait_for_response

SETTLE_SECONDS = 6.0
SETTLE_STEP_SECONDS = 0.25
SETTLED_SHARE = 0.005
MOST_MEMORY = 3 << 30
"""A peer that grows beyond this is buffering without limit, and is stopped."""
STALLED_RECEIVE_BYTES = 64 << 10
OPEN_SECONDS = 30.0


class StartUp:
    """From the start of the process to the first complete response."""

    key = "startup"
    title = "Start-up"
    method = "from exec to the first complete response through the proxy"
    metrics = (Metric("seconds", "to the first response", "ms", "less"),)
    most_rounds = None

    def excuse(self, peer: Peer) -> str | None:
        """Say why the peer is not measured; None if it is."""
        return "does not apply" if peer.family == "none" else None

    @contextmanager
    def prepare(
        self, stand: Stand, peer: Peer, _settings: Settings
    ) -> Iterator[Callable[[], dict[str, Sample]]]:
        """Start once to warm the file cache; yield a function that takes a sample."""

        def sample() -> dict[str, Sample]:
            with stand.launch(peer, "files") as running:
                return {"seconds": Sample(wait_for_response(running, "/1k.json") * 1000)}

        sample()
        yield sample


class Held(NamedTuple):
    """A kind of connection that uses memory while it is idle."""

    key: str
    title: str
    upstream: UpstreamName
    share: float
    """Of Settings.held_connections."""
    open: Callable[[Running], socket.socket]


def _open_kept_alive(running: Running) -> socket.socket:
    return _request(running, "/1k.json", whole=True)


def _open_stalled(running: Running) -> socket.socket:
    return _request(running, "/64m.bin", whole=False, receive_bytes=STALLED_RECEIVE_BYTES)


def _open_events(running: Running) -> socket.socket:
    return _request(running, "/events", whole=False)


def _open_websocket(running: Running) -> socket.socket:
    try:
        return open_websocket(running.peer, running.site, "/ws")
    except OSError as error:
        raise LoadError(f"WebSocket: {error}") from error


HELD = (
    Held("kept-alive", "idle kept-alive connection", "files", 1.0, _open_kept_alive),
    Held("websocket", "idle WebSocket", "backend", 0.3, _open_websocket),
    Held("events", "idle event stream", "backend", 0.3, _open_events),
    Held("stalled", "stalled download", "files", 0.3, _open_stalled),
)


class Memory:
    """Resident memory: idle, under load, and added by held connections."""

    key = "memory"
    title = "Memory"
    method = (
        "resident memory of all its processes; per connection: what many of them add to a "
        "warm process, divided by their number"
    )
    metrics = (
        Metric("idle", "idle", "MiB", "less", 1),
        Metric("loaded", "after load", "MiB", "less", 1),
        *(Metric(held.key, f"per {held.title}", "KiB", "less", 1) for held in HELD),
    )
    most_rounds = 3

    def excuse(self, peer: Peer) -> str | None:
        """Say why the peer is not measured; None if it is."""
        return "does not apply" if peer.family == "none" else None

    @contextmanager
    def prepare(
        self, stand: Stand, peer: Peer, settings: Settings
    ) -> Iterator[Callable[[], dict[str, Sample]]]:
        """Yield a function that takes one sample of each metric, in separate processes."""

        def sample() -> dict[str, Sample]:
            samples = self._whole_process(stand, peer, settings)
            for held in HELD:
                if held.key != "websocket" or peer.websockets:
                    samples[held.key] = self._held(stand, peer, held, settings)
            return samples

        yield sample

    def _whole_process(self, stand: Stand, peer: Peer, settings: Settings) -> dict[str, Sample]:
        with stand.start(peer, "files") as running:
            _open_kept_alive(running).close()
            idle = _settled_memory(running)
            load_requests(stand, running, settings.seconds)
            return {
                "idle": Sample(idle / MIB),
                "loaded": Sample(_settled_memory(running) / MIB),
            }

    def _held(self, stand: Stand, peer: Peer, held: Held, settings: Settings) -> Sample:
        count = int(settings.held_connections * held.share)
        with stand.start(peer, held.upstream) as running, ExitStack() as connections:
            # A first batch pays for the shared code and tables. It stays open, because the
            # memory it would free would be reused unnoticed.
            for _ in range(count // 4):
                connections.enter_context(held.open(running))
            before = _settled_memory(running)
            for _ in range(count):
                connections.enter_context(held.open(running))
            return Sample((_settled_memory(running) - before) / count / 1024)


def _request(
    running: Running, path: str, *, whole: bool, receive_bytes: int | None = None
) -> socket.socket:
    """Send a GET and return the connection, with the whole response read or only its head.

    Raises LoadError.
    """
    connection = socket.socket()
    connection.settimeout(OPEN_SECONDS)
    if receive_bytes is not None:  # before connecting, because it limits the window
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    target = running.peer.path(running.site, path)
    try:
        connection.connect(("127.0.0.1", running.site.port))
        connection.sendall(
            f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{running.site.port}\r\n"
            f"Origin: {ORIGIN}\r\n\r\n".encode()
        )
        response = http.client.HTTPResponse(connection, method="GET")
        response.begin()
        if response.status != 200:
            raise LoadError(f"GET {path} answered {response.status}")
        if whole:
            response.read()
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        raise LoadError(f"GET {path}: {str(error) or type(error).__name__}") from error
    return connection


def _settled_memory(running: Running) -> int:
    """Return the resident memory once it has stopped changing, or after a while.

    Raises LoadError if it grows without limit.
    """
    process = running.process
    assert process is not None
    deadline = time.monotonic() + SETTLE_SECONDS
    before = process.rss_bytes()
    calm = 0
    while time.monotonic() < deadline and calm < 3:
        time.sleep(SETTLE_STEP_SECONDS)
        process.check_alive()
        now = process.rss_bytes()
        if now > MOST_MEMORY:
            raise LoadError(f"grew to {now / MIB:.0f} MiB")
        calm = calm + 1 if abs(now - before) <= before * SETTLED_SHARE else 0
        before = now
    return before


@dataclass(frozen=True)
class RequestLog:
    """The cost of a log line per request: the same load with and without it."""

    key: str = "log"
    title: str = "Request log"
    method: str = "small forwards with one line per request written to a file, and without"
    metrics: tuple[Metric, ...] = (
        Metric("rate", "forwards, logged", "/s", "more"),
        Metric("kept", "of the rate without", "%", "more", 1),
        Metric("cpu", "CPU per line", "µs", "less", 1),
    )
    most_rounds: int | None = None

    def excuse(self, peer: Peer) -> str | None:
        """Say why the peer is not measured; None if it is."""
        return None if peer.can_log else "no switch for a log"

    @contextmanager
    def prepare(
        self, stand: Stand, peer: Peer, settings: Settings
    ) -> Iterator[Callable[[], dict[str, Sample]]]:
        """Start the peer with and without its log; yield a function that takes a sample."""
        with (
            stand.start(peer, "files") as silent,
            stand.start(peer, "files", log=True) as logging,
        ):
            yield _side_by_side(stand, silent, logging, settings)


@dataclass(frozen=True)
class Counting:
    """The cost of metrics: the same load with and without them."""

    key: str = "metrics"
    title: str = "Metrics"
    method: str = "small forwards that are counted for metrics, and without"
    metrics: tuple[Metric, ...] = (
        Metric("rate", "forwards, counted", "/s", "more"),
        Metric("kept", "of the rate without", "%", "more", 1),
        Metric("cpu", "CPU per request for it", "µs", "less", 1),
    )
    most_rounds: int | None = None

    def excuse(self, peer: Peer) -> str | None:
        """Say why the peer is not measured; None if it is."""
        return None if peer.can_count else "no switch for metrics"

    @contextmanager
    def prepare(
        self, stand: Stand, peer: Peer, settings: Settings
    ) -> Iterator[Callable[[], dict[str, Sample]]]:
        """Start the peer with and without metrics; yield a function that takes a sample."""
        with (
            stand.start(peer, "files", metrics=False) as without,
            stand.start(peer, "files") as counting,
        ):
            yield _side_by_side(stand, without, counting, settings)


@dataclass(frozen=True)
class Inspecting:
    """The cost of an inspector without a viewer: the same load with and without it."""

    key: str = "inspector"
    title: str = "Inspector"
    method: str = "small forwards that an inspector sees, with no page of it open, and without it"
    metrics: tuple[Metric, ...] = (
        Metric("rate", "forwards, inspected", "/s", "more"),
        Metric("kept", "of the rate without", "%", "more", 1),
        Metric("cpu", "CPU per request for it", "µs", "less", 1),
    )
    most_rounds: int | None = None

    def excuse(self, peer: Peer) -> str | None:
        """Say why the peer is not measured, or None where it is."""
        return None if peer.can_inspect else "no inspector"

    @contextmanager
    def prepare(
        self, stand: Stand, peer: Peer, settings: Settings
    ) -> Iterator[Callable[[], dict[str, Sample]]]:
        """Start the peer twice, with and without its inspector; yield what takes a sample."""
        with (
            stand.start(peer, "files") as without,
            stand.start(peer, "files", inspector=True) as inspecting,
        ):
            yield _side_by_side(stand, without, inspecting, settings)


def _side_by_side(
    stand: Stand, without: Running, with_it: Running, settings: Settings
) -> Callable[[], dict[str, Sample]]:
    """Warm both up; return a function that samples the rate `with_it`, its share of the rate
    `without`, and its cost in CPU time."""
    turn = [without, with_it]

    def sample(seconds: int = settings.seconds) -> dict[str, Sample]:
        turn.reverse()  # so that neither always comes first
        found = {id(running): load_requests(stand, running, seconds) for running in turn}
        bare, full = found[id(without)], found[id(with_it)]
        rate, cost = full["rate"], full["cpu"].value - bare["cpu"].value
        kept = 100 * rate.value / bare["rate"].value
        return {"rate": rate, "kept": Sample(kept), "cpu": Sample(cost)}

    sample(settings.warm_up_seconds)
    return sample
