"""What a running proxy reports besides exchanges: ready, reloaded, stopping.

Text at a terminal, otherwise one JSON object per line. `event` names each kind, and a name
never changes. Announcements go where the log goes, so one stream holds everything in order.
"""

import json
import logging
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from corsproxy.config.changes import Change
from corsproxy.config.problems import Problem, as_json, escape, render
from corsproxy.core.advice.operation import CACHED_PREFLIGHTS
from corsproxy.core.policy import Policy
from corsproxy.shell.feed.ansi import CLEAR_SCREEN, Style, paint
from corsproxy.shell.feed.clock import clock_time, timestamp
from corsproxy.shell.feed.layout import known_width, paragraph, terminal_width
from corsproxy.shell.feed.outlet import Outlet
from corsproxy.shell.feed.recent_refusals import Refusals

LineFormat = Literal["text", "json"]
Fact = str | int | float | bool | None | Sequence[str] | Sequence[dict[str, str | int | None]]

# The level of events that are not "info".
_LEVELS = {
    "warning": "warning",
    "reload-refused": "error",
    "reload-failed": "error",
    "worker-ended": "error",
    "worker-hangs": "error",
    "out-of-descriptors": "error",
    "lines-dropped": "warning",
    "fault": "error",
}
_INDENT = " " * 10
_SAME_FAULT_S = 1.0


class Announcer:
    """Reports events to people or to programs."""

    def __init__(self, write: Callable[[str], None], form: LineFormat, *, color: bool) -> None:
        """`write` takes whole lines, newline included."""
        self._write = write
        self.form = form
        self.color = color

    def ready(
        self,
        banner: str,
        listen: Sequence[str],
        endpoints: Sequence[str],
        admin: str | None,
        inspector: str | None = None,
    ) -> None:
        """Requests are answered from now on; `banner` is the text for people."""
        if self.form == "text":
            self._write(f"{banner}\n")
        else:
            facts = {} if inspector is None else {"inspector": inspector}
            self._json("ready", listen=listen, endpoints=endpoints, admin=admin, **facts)

    def warned(self, problems: Sequence[Problem]) -> None:
        """The file is served, but has these warnings."""
        for problem in problems:
            if self.form == "text":
                self._write(f"{render(problem, self.color, known_width('stdout'))}\n\n")
            else:
                self._json("warning", **as_json(problem))

    def reloaded(self, file: str, changes: tuple[Change, ...]) -> None:
        """The file's policy is now in force."""
        if self.form == "json":
            self._json("reloaded", file=file, changes=[str(change) for change in changes])
            return
        what = "reloaded" if changes else "reloaded, nothing changed"
        self._line(f"{file} {what}", Style.GREEN)
        for change in changes:
            self._write(f"{_INDENT}{escape(str(change))}\n")
        if any(change.narrows for change in changes):
            self._write(f"{_INDENT}{CACHED_PREFLIGHTS}\n")

    def refused(self, file: str, problems: tuple[Problem, ...]) -> None:
        """The file is broken; the last good policy stays in force."""
        if self.form == "json":
            found = [as_json(problem) for problem in problems]
            self._json("reload-refused", file=file, problems=found)
            return
        for problem in problems:
            self._write(f"{render(problem, self.color, known_width('stdout'))}\n\n")
        self._line(f"{file} is refused: still using the previous policy", Style.RED)

    def failed(self, file: str, reason: str) -> None:
        """The file cannot be read, or names something that cannot be used."""
        sentence = f"{file} cannot be used ({reason}): still using the previous policy"
        self._say("reload-failed", sentence, Style.RED, file=file, reason=reason)

    def lame_duck(self, in_flight: int) -> None:
        """`corsproxy drain` was called: each response ends its connection from now on."""
        sentence = "draining: each response ends its connection, and /readyz says 503"
        self._say("lame-duck", sentence, in_flight=in_flight)

    def draining(self, in_flight: int, grace: float) -> None:
        """No new work is taken; what is in flight may finish."""
        if self.form == "json":
            self._json("draining", in_flight=in_flight, grace_s=grace)
        elif in_flight:
            requests = "1 request" if in_flight == 1 else f"{in_flight} requests"
            self._line(
                f"stopping: {requests} may take {grace:g} s more; "
                "the same signal again stops at once"
            )

    def stopped(self) -> None:
        """The last line of a run."""
        self._say("stopped", "stopped")

    def worker_ended(self, worker: int, pid: int, how: str, pause: float) -> None:
        """A worker process has ended; another starts after `pause` seconds."""
        sentence = f"worker {worker} ended ({how}); another starts in {pause:g} s"
        facts: dict[str, Fact] = {"worker": worker, "pid": pid, "how": how, "restart_in_s": pause}
        self._say("worker-ended", sentence, Style.RED, **facts)

    def worker_started(self, worker: int, pid: int) -> None:
        """A worker process has taken the place of one that ended."""
        sentence = f"worker {worker} is back"
        self._say("worker-started", sentence, Style.GREEN, worker=worker, pid=pid)

    def worker_hangs(self, worker: int, pid: int) -> None:
        """A worker process does not answer, and is killed."""
        sentence = f"worker {worker} no longer answers"
        self._say("worker-hangs", sentence, Style.RED, worker=worker, pid=pid)

    def out_of_descriptors(self, limit: int | None) -> None:
        """Nothing more can be opened; `limit` is the maximum number of descriptors."""
        most = "" if limit is None else f" (at most {limit})"
        sentence = f"too many open files{most}: new connections are dropped"
        self._say("out-of-descriptors", sentence, Style.RED, limit=limit)

    def about_certificate(self, sentence: str) -> None:
        """Something about the certificate of the https listeners that people should know."""
        self._say("certificate", sentence, message=sentence)

    def greeted(self, sentence: str, *, answers: bool) -> None:
        """Whether an upstream answers; for people only."""
        if self.form == "text":
            self._line(sentence, Style.GREEN if answers else Style.RED)

    def note(self, text: str) -> None:
        """A response to a key, or a remark; for people only."""
        if self.form == "text":
            self._write(f"{text}\n")

    def clear(self) -> None:
        """Clear the screen, if there is a terminal."""
        if self.form == "text":
            self._write(CLEAR_SCREEN)

    def fault(self, message: str, trace: str, untold: int = 0) -> None:
        """A bug in this program or in a dependency; `untold` says how often it has happened
        without being announced."""
        if self.form == "json":
            facts = {"untold": untold} if untold else {}
            self._json("fault", message=message, trace=trace, **facts)
            return
        self._line(f"fault: {message}", Style.RED)
        for line in trace.splitlines():
            self._write(f"{_INDENT}{escape(line)}\n")

    def _say(self, event: str, sentence: str, *styles: Style, **facts: Fact) -> None:
        """Report an event: the sentence to people, the facts to programs."""
        if self.form == "json":
            self._json(event, **facts)
        else:
            self._line(sentence, *styles)

    def _line(self, text: str, *styles: Style) -> None:
        time = paint(clock_time(), Style.DIM, color=self.color)
        first, *more = paragraph(escape(text), terminal_width())
        self._write(f"{time}  {paint(first.strip(), *styles, color=self.color)}\n")
        for each in more:
            self._write(f"{paint(each, *styles, color=self.color)}\n")

    def _json(self, event: str, **facts: Fact) -> None:
        self._write(_object(event, **facts))


def _object(event: str, **facts: Fact) -> str:
    level = _LEVELS.get(event, "info")
    return f"{json.dumps({'ts': timestamp(), 'level': level, 'event': event, **facts})}\n"


def dropped_lines(form: LineFormat) -> Callable[[int], str]:
    """Return the formatter for the number of dropped lines; see `outlet.Outlet`."""
    if form == "text":
        return "{} lines were dropped\n".format
    return lambda count: _object("lines-dropped", count=count)


class FaultLog(logging.Handler):
    """Announces what libraries and our own faults log as warnings or worse.

    The same message is announced at most once a second: a fault in every request must not drown
    out everything else.
    """

    def __init__(self, announcer: Announcer) -> None:
        super().__init__(logging.WARNING)
        self._announcer = announcer
        self._last = ""
        self._at = 0.0
        self._more = 0

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if message == self._last and 0 <= record.created - self._at < _SAME_FAULT_S:
            self._more += 1
            return
        self._last, self._at = message, record.created
        trace = "" if record.exc_info is None else self._traces.formatException(record.exc_info)
        self._announcer.fault(message, trace, self._more)
        self._more = 0

    _traces = logging.Formatter()


class Terms(NamedTuple):
    """How a run reports to people."""

    outlet: Outlet
    """Takes the lines."""
    announcer: Announcer
    banner: Callable[[Policy, bool], str]
    """The lines for people; the flag says that the run has just started."""
    interactive: bool
    """Whether keys can be pressed: there is a terminal."""
    refusals: Refusals | None = None
    """The refusals in the log; None without a terminal that can offer the edit."""
    token: str | None = None
    """Lets a browser into the inspector; None without an inspector."""
    inspector: str | None = None
    """The inspector's URL, with the token."""
