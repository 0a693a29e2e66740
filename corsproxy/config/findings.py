"""What was found in one file: its problems, its secrets, and where each rule is written.

Readers report here and continue, so that one run finds every mistake.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, TypeVar

from corsproxy.config.mistakes import BadValueError
from corsproxy.config.problems import Problem, Severity
from corsproxy.config.spelling import as_value, shown, without_bullet
from corsproxy.config.yaml.nodes import Node, Scalar, is_null, kind_of
from corsproxy.config.yaml.source_text import Extent, Mark, SourceText, Span
from corsproxy.config.yaml.substitution import expand
from corsproxy.core.source import Source

MAX_PROBLEMS = 1000

Parsed = TypeVar("Parsed")


class Value(NamedTuple):
    """A scalar with its variables filled in."""

    node: Scalar
    text: str
    plain: bool
    """Unquoted, or from a variable, so that `true` and `5` are not just text."""

    @property
    def literal(self) -> bool:
        """Whether the file holds the text itself, so that a fix can replace it."""
        return self.text == self.node.text


class Findings:
    """The problems of one file, in the order in which they were found."""

    def __init__(
        self,
        source: SourceText,
        environ: Mapping[str, str],
        refused: Iterable[Span] = (),
        day: str | None = None,
    ) -> None:
        """Nothing is said about `refused`, which has its problems already. `day` is the day
        to read the file for, as YYYY-MM-DD; None: later than every date in it."""
        self.source_text = source
        self.day = day
        self.secrets: set[str] = set()
        """What the environment gave to header rules; never to be printed."""
        self._environ = environ
        self._refused = frozenset((each.start.line, each.start.column) for each in refused)
        self._problems: dict[tuple[str, Source, str], Problem] = {}
        self._noted: list[Span] = []
        self._spans: dict[Source, Span] = {}

    @property
    def problems(self) -> tuple[Problem, ...]:
        """All of them, once each, in file order."""
        found = sorted(self._problems.values(), key=lambda problem: problem.source[1:])
        if len(found) >= MAX_PROBLEMS:
            message = f"there may be more; only {MAX_PROBLEMS:,} are shown"
            found.append(Problem("error", "too-many-problems", message, found[-1].source))
        return tuple(found)

    @property
    def count(self) -> int:
        """How many problems there are so far."""
        return len(self._problems)

    @property
    def errors(self) -> int:
        """How many of them refuse the file."""
        return sum(problem.severity == "error" for problem in self._problems.values())

    def add(self, problem: Problem) -> None:
        if len(self._problems) < MAX_PROBLEMS:
            self._problems.setdefault((problem.code, problem.source, problem.message), problem)

    def error(
        self, code: str, span: Span, message: str, help: str = "", fix: str | None = None
    ) -> None:
        if (span.start.line, span.start.column) not in self._refused:
            self.add(self.source_text.problem(code, span, message, help, fix))

    def warning(
        self, code: str, span: Span, message: str, help: str = "", fix: str | None = None
    ) -> None:
        self.add(self.source_text.problem(code, span, message, help, fix, "warning"))

    def source(self, span: Span) -> Source:
        """Return where `span` is, and note its length for problems found later."""
        self._noted.append(span)
        return self.source_text.source(span)

    def at(
        self, severity: Severity, code: str, source: Source, message: str, help: str = ""
    ) -> None:
        """Report a problem at a source that a rule carries."""
        span = self._span_at(source)
        if span is None:
            self.add(Problem(severity, code, message, source, help=help))
        else:
            self.add(self.source_text.problem(code, span, message, help, None, severity))

    def _span_at(self, source: Source) -> Span | None:
        """Return what was noted first at a place. In most files, this is never asked."""
        for span in self._noted:
            self._spans.setdefault(self.source_text.source(span), span)
        self._noted.clear()
        return self._spans.get(source)

    def mistake(
        self, value: Value, mistake: BadValueError, path: str, severity: Severity = "error"
    ) -> None:
        """Report why the value at `path` cannot be used."""
        span: Span = value.node
        fix = None
        if mistake.suggestion is not None and value.literal:
            fix = as_value(mistake.suggestion)
        elif mistake.part:
            span = self._part(value.node, mistake.part)
        if (value.node.start.line, value.node.start.column) in self._refused:
            return
        message = f"`{path}`: {mistake.message}"
        problem = self.source_text.problem(mistake.code, span, message, mistake.help, fix, severity)
        self.add(problem)

    def parsed(self, parse: Callable[[str], Parsed], value: Value, path: str) -> Parsed | None:
        """Return what `parse` makes of a value; None after its BadValueError was reported."""
        try:
            return parse(value.text)
        except BadValueError as mistake:
            self.mistake(value, mistake, path)
            return None

    def value(self, node: Node, path: str, *, secret: bool = False) -> Value | None:
        """Return the scalar that `node` is, filled in; None after a problem was reported."""
        if not isinstance(node, Scalar):
            message = f"`{path}` is {kind_of(node)}, not a single value"
            help = "write the value alone"
            alias = self.source_text.raw(node)
            if alias.startswith("*"):
                message = f"`{path}`: {shown(alias)} is a list, which cannot be merged into another"
                help = f"write its entries one by one, or {shown(alias)} alone for the whole list"
            self.error("wrong-type", node, message, help)
            return None
        if is_null(node):
            self.error("missing-value", node, f"`{path}` has an empty value", "write one")
            return None
        if node.plain and node.start.line != node.end.line:
            self._runs_on(node, path)
            return None
        if "$" not in node.text:
            return Value(node, node.text, node.plain)
        try:
            expansion = expand(node.text, self._environ)
        except BadValueError as mistake:
            self.mistake(Value(node, node.text, node.plain), mistake, path)
            return None
        if secret:
            self.secrets.update(expansion.secrets)
        return Value(node, expansion.text, node.plain or expansion.found)

    def _runs_on(self, node: Scalar, path: str) -> None:
        """An unquoted value over several lines, which YAML joins: never intended."""
        next_line = self.source_text.line(node.start.line + 1).strip()
        help = "end it on its line, or quote it"
        behind = self.source_text.text[node.end.offset :].lstrip()[:1]
        if next_line.startswith("- "):
            help = "indent each `- ` like the first one"
        elif next_line.startswith("-"):
            help = "write a space after each `-`"
        elif behind in (",", "]", "}"):
            help = "separate the entries with commas"
        elif next_line.rstrip().endswith(":") or ": " in next_line:
            help = "indent the next line like this one's key"
        span: Span = node
        fix = None
        first = self.source_text.line(node.start.line)
        rest = first[node.start.column - 1 :]
        item = without_bullet(rest)
        if item != rest and not first[: node.start.column - 1].strip():
            help = "start each item with `- `"
            width = len(rest)
            end = Mark(node.start.offset + width, node.start.line, node.start.column + width)
            span, fix = Extent(node.start, end), f"- {item}"
        self.error("value-runs-on", span, f"`{path}` continues on the next line", help, fix)

    def _part(self, node: Scalar, part: str) -> Span:
        """Return where `part` is written in a scalar on one line; else the scalar."""
        before = self.source_text.raw(node).find(part)
        if before < 0 or node.start.line != node.end.line:
            return node
        offset, line, column = node.start
        start = Mark(offset + before, line, column + before)
        end = Mark(start.offset + len(part), line, start.column + len(part))
        return Extent(start, end)
