"""The log of exchanges for people: one line each, fitted to the terminal.

A response that the browser keeps from the page never looks like a success. The remedy is
printed below the line the first time; after that it is only counted.
"""

from collections.abc import Callable, Sequence
from typing import Final

from corsproxy.config.problems import escape
from corsproxy.core.advice.confusions import REFERRER_POLICY_IN_SHORT, lacks_cookie
from corsproxy.core.advice.diagnosis import Advice, Cause
from corsproxy.core.outcome.outcome import Outcome, Word, is_lost
from corsproxy.core.verdicts import CALL_REFUSED, Code, Kind
from corsproxy.shell.feed.ansi import Style, paint
from corsproxy.shell.feed.clock import clock_time
from corsproxy.shell.feed.layout import INDENT, paragraph, shortened, terminal_width
from corsproxy.shell.feed.quoting import printable, redacted
from corsproxy.shell.feed.recent_refusals import AdviceCounts, Refusals
from corsproxy.shell.feed.records import ExchangeRecord

_MAX_ORIGIN: Final = 512
_MAX_PATH: Final = 160
# The width of the path column, on a terminal of at least `_WIDE` columns and on others.
_WIDE: Final = 100
_WIDE_PATH: Final = 32
_NARROW_PATH: Final = 24
_Styled = tuple[str, Style]
# `HH:MM:SS  METHOD ` before the path, ` STATUS DURATION ms` after it.
_BEFORE_PATH: Final = 18
_BEHIND_PATH: Final = 14

_CREDENTIALS: Final = ("InvalidAllowCredentials", "WildcardOriginNotAllowed")


class TextLines:
    """One line per exchange; below a failure, the first time, more lines."""

    def __init__(
        self,
        advise: Callable[[ExchangeRecord], Sequence[Advice]],
        *,
        color: bool,
        refusals: Refusals | None = None,
        width: Callable[[], int] = terminal_width,
    ) -> None:
        """`advise` returns the advice about an exchange, the most pressing first. `refusals` are
        those that were shown. `width` is called for each line."""
        self._advise = advise
        self._color = color
        self._refusals = Refusals() if refusals is None else refusals
        self._width = width
        self._told = AdviceCounts()
        self._origin = b""
        self._has_remarked = False

    def forget(self) -> None:
        """Give every hint again: the policy has changed."""
        self._refusals.forget()
        self._told.forget()

    def remark(self, advice: Advice, origin: bytes) -> str:
        """Return the lines of advice that belongs to no exchange's line, the first time;
        `origin` is the page's."""
        if advice.remedies:
            self._refusals.note(advice.remedies, origin)
        if self._told.count(advice.cause, advice.subject) > 1:
            return ""
        lines = [each for text in advice.lines for each in paragraph(escape(text), self._width())]
        return "".join(f"{self._paint(line, Style.YELLOW)}\n" for line in lines)

    def opened(self, record: ExchangeRecord, count: int) -> str:
        """Return the line about an event stream that begins, one of `count` of its page."""
        words = f"stream opened, {count} of this page" if count > 1 else "stream opened"
        return self._line(record, words, Style.DIM, self._width())

    def exchange(self, record: ExchangeRecord) -> str:
        """Return the line, and those below it."""
        width = self._width()
        words, style = _words(record)
        lines: list[str] = []
        count = 0
        for advice in self._advise(record):
            times = self._told.count(advice.cause, advice.subject)
            count = count or times
            if advice.remedies or advice.cause is Cause.REFUSED:
                self._refusals.note(advice.remedies, record.origin or b"")
            if times == 1:
                for text in advice.lines:
                    lines += paragraph(escape(text), width)
        if words and style is not Style.DIM and count > 1:
            words += f" (×{count})"
        if lines and _is_cors_error(record.outcome) and not self._has_remarked:
            self._has_remarked = True
            lines += paragraph(REFERRER_POLICY_IN_SHORT, width)
        if record.error is not None:
            words = f"{words} [{record.error}]".lstrip()
        first = self._line(record, escape(words), style, width)
        return first + "".join(f"{self._paint(line, Style.DIM)}\n" for line in lines)

    def _line(self, record: ExchangeRecord, words: str, style: Style, width: int) -> str:
        """Return the exchange's line; words that do not fit beside the columns go below it."""
        method = escape(record.method) or "-"
        origin = self._new_origin(record)
        pad = _WIDE_PATH if width >= _WIDE else _NARROW_PATH
        room = width - _BEFORE_PATH - _BEHIND_PATH - max(len(method) - 7, 0)
        behind, below = _placed([(origin, Style.DIM), (words, style)], room - pad)
        room -= sum(len(text) + 2 for text, _ in behind)
        path = printable(redacted(record.target)) or "-"
        columns = (
            self._paint(clock_time(record.started), Style.DIM),
            "",
            f"{method:<7}",
            f"{shortened(path, max(min(room, _MAX_PATH), 8)):<{min(pad, max(room, 8))}}",
            self._paint(f"{record.status:>3}", _status_style(record)),
            f"{record.duration_s * 1000:>6.0f} ms",
        )
        line = "  ".join([" ".join(columns), *(self._paint(*each) for each in behind)]) + "\n"
        for text, how in below:
            # A long word, such as an address, stays readable when shortened, and stays beside
            # its label, such as `LEAVES →`.
            room = max(width - len(INDENT) - 9, 8)
            fit = " ".join(shortened(word, room) for word in text.split(" "))
            for each in paragraph(fit, width):
                line += f"{INDENT}{self._paint(each.strip(), how)}\n"
        return line

    def _new_origin(self, record: ExchangeRecord) -> str:
        """Return the origin, if it differs from that of the previous line."""
        origin = (record.origin or b"-")[:_MAX_ORIGIN]
        is_same = origin == self._origin
        self._origin = origin
        return "" if is_same or origin == b"-" else printable(origin)

    def _paint(self, text: str, style: Style) -> str:
        return paint(text, style, color=self._color)


def _placed(texts: Sequence[_Styled], room: int) -> tuple[list[_Styled], list[_Styled]]:
    """Return which texts fit beside the columns, and which go below."""
    behind: list[_Styled] = []
    below: list[_Styled] = []
    for text, style in texts:
        if text and not below and len(text) + 2 <= room:
            behind.append((text, style))
            room -= len(text) + 2
        elif text:
            below.append((text, style))
    return behind, below


def _words(record: ExchangeRecord) -> tuple[str, Style]:
    """Return the result in words, if there is something to say."""
    verdict, outcome = record.verdict, record.outcome
    method = ""
    if verdict.kind is Kind.PREFLIGHT:
        method = printable((record.value(b"access-control-request-method") or b"")[:32])
    if not verdict.allowed:
        word = "BLOCKED" if verdict.code in CALL_REFUSED else "REFUSED"
        # The origin has its own place.
        subject = verdict.subject.encode("utf-8", "replace")
        named = f" {verdict.subject}" if subject not in (b"", record.origin) else ""
        asked = f" in the preflight for {method}" if method not in ("", verdict.subject) else ""
        return f"{word} {verdict.code}{named}{asked}", Style.RED
    if verdict.facts.status >= 500:
        return f"FAILED {verdict.code}", Style.RED
    if outcome is not None and outcome.word is not Word.READABLE:
        return _outcome_words(outcome)
    if lacks_cookie(verdict, record.status, record.fields):
        return "no cookie", Style.YELLOW
    if method:
        return f"preflight for {method} ok", Style.DIM
    return ("websocket" if record.status == 101 else ""), Style.DIM


def _outcome_words(outcome: Outcome) -> tuple[str, Style]:
    match outcome.word:
        case Word.BLOCKED:
            is_credentials = outcome.error in _CREDENTIALS
            code = Code.CREDENTIALS_NOT_ALLOWED if is_credentials else outcome.error
            return f"BLOCKED {code}" if code else "BLOCKED by the browser", Style.RED
        case Word.LEAVES:
            where = printable(redacted((outcome.location or b"")[:_MAX_PATH]))
            lost = is_lost(outcome)
            return f"{'LEAVES' if lost else 'leaves'} → {where}", Style.RED if lost else Style.DIM
        case Word.UNKNOWN:
            return f"UNKNOWN: it depends on {outcome.hangs_on}", Style.YELLOW
        case _:
            return "opaque", Style.DIM


def _is_cors_error(outcome: Outcome | None) -> bool:
    """Whether the console mentions CORS, and DevTools a Referrer-Policy beside it."""
    return outcome is not None and outcome.word is Word.BLOCKED and outcome.error is not None


def _status_style(record: ExchangeRecord) -> Style:
    status = record.status
    if is_lost(record.outcome):
        return Style.RED
    if status >= 400:
        return Style.RED if status >= 500 else Style.YELLOW
    return Style.CYAN if 300 <= status < 400 else Style.GREEN
