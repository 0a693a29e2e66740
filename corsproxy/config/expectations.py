"""A file of expectations: what an allowlist must answer to which calls.

    config: corsproxy.yaml
    cases:
      - name: the shop may save
        origin: https://app.example.com
        request: PUT /shop/cart
        headers: [content-type]
        credentials: true
        expect: allowed

Text in, cases or every problem in the text out, with positions. Opens no file. A list of
origins, of requests or of header lists stands for one case each, all combinations.
"""

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Literal, NamedTuple

from corsproxy.config.dates import parse_day
from corsproxy.config.findings import Findings, Value
from corsproxy.config.problems import ConfigError
from corsproxy.config.section import Section, as_section
from corsproxy.config.spelling import shown
from corsproxy.config.yaml.document import read_document
from corsproxy.config.yaml.nodes import Mapping as MappingNode
from corsproxy.config.yaml.nodes import Node, Scalar, Sequence
from corsproxy.core.explain.explanation import check_call
from corsproxy.core.page_call import PageCall
from corsproxy.core.source import DEFAULT_FILE, Source
from corsproxy.core.verdicts import Code, Verdict

Result = Literal["allowed", "refused", "forwarded"]

_RESULTS: tuple[Result, ...] = ("allowed", "refused", "forwarded")
_FORWARDED = (Code.PASSTHROUGH, Code.ORIGIN_FORWARDED)
_EXAMPLE_CALL = PageCall("https://app.example.com", "/")
_CASE = "{origin: https://app.example.com, request: GET /, expect: allowed}"
FILE_OF_EXPECTATIONS = (
    f"it needs `config: {DEFAULT_FILE}` and `cases:`; see `corsproxy test --help`"
)


def result_of(verdict: Verdict) -> Result:
    """Return what happens to a call in one word; `forwarded` if the upstream decides what the
    page may read, or if it is asked and nothing is granted."""
    if verdict.code in _FORWARDED:
        return "forwarded"
    return "allowed" if verdict.allowed else "refused"


class Expectation(NamedTuple):
    """What a case expects."""

    what: Result | Code
    at: str | None = None
    """The rule that must have decided, as `file:line` or `file:line:column`."""

    def __str__(self) -> str:
        return str(self.what) if self.at is None else f"{self.what} at {self.at}"

    def is_met_by(self, verdict: Verdict) -> bool:
        found = verdict.code if isinstance(self.what, Code) else result_of(verdict)
        if found != self.what:
            return False
        return self.at is None or (verdict.at is not None and _is_at(verdict.at, self.at))


def _is_at(source: Source, at: str) -> bool:
    """Whether `at` names the place; its file may be given by its base name."""
    place = str(source)
    return any(
        f"{each}:".startswith(f"{at}:")
        for each in (
            place,
            f"{source.name.replace(chr(92), '/').rpartition('/')[2]}{place[len(source.name) :]}",
        )
    )


class Case(NamedTuple):
    """One call, and what is expected of it."""

    name: str
    call: PageCall
    day: str | None
    """The day in UTC to decide for; None is today."""
    expected: Expectation
    source: Source

    @property
    def request(self) -> str:
        return f"{self.call.method} {self.call.target}"

    @property
    def title(self) -> str:
        """The name with the whole call: lists make several cases of one name."""
        call = f"{self.request} from {self.call.origin}"
        words = f"{call} with {', '.join(self._extras)}" if self._extras else call
        words += f" on {self.day}" if self.day is not None else ""
        return words if self.name == call else f"{self.name} ({words})"

    @property
    def _extras(self) -> tuple[str, ...]:
        return (*self.call.headers, *(["credentials"] if self.call.credentials else []))


class Suite(NamedTuple):
    """What a file of expectations says."""

    config: str
    """The allowlist file, relative to this one."""
    cases: tuple[Case, ...]


def read_expectations(data: bytes, name: str, environ: Mapping[str, str]) -> Suite:
    """Return what is expected in a file that messages call `name`; `environ` fills in
    `${NAME}`. Raises ConfigError with every problem, in file order."""
    document = read_document(data, name, needed=FILE_OF_EXPECTATIONS)
    findings = Findings(document.source, environ, document.tagged)
    for problem in document.problems:
        findings.add(problem)
    suite = _read(Section(findings, document.root, "tests", ""))
    if findings.problems:
        raise ConfigError(findings.problems)
    return suite


def _read(top: Section) -> Suite:
    config = top.value("config", f"write the allowlist's file, such as `{DEFAULT_FILE}`")
    node = top.get("cases", f"write a list: `[{_CASE}]`")
    cases: list[Case] = []
    if isinstance(node, Sequence):
        for number, item in enumerate(node.items):
            section = as_section(top.findings, item, "case", f"cases[{number}]", _CASE)
            if section is not None:
                cases += _Reader(section).read()
    elif node is not None:
        help = f"write a list: `[{_CASE}]`"
        top.findings.error("wrong-type", node, "`cases` is not a list", help)
    return Suite(DEFAULT_FILE if config is None else config.text, tuple(cases))


class _Reader:
    """Reads one entry of `cases`."""

    def __init__(self, section: Section) -> None:
        self._section = section
        self._findings = section.findings

    def read(self) -> Iterator[Case]:
        section = self._section
        source = self._findings.source(section.node)
        name, day = section.value("name"), self._day()
        origins = [value.text for value in self._several("origin") if self._is_origin(value)]
        requests = [each for value in self._several("request") if (each := self._call(value))]
        credentials = section.flag("credentials", False)
        expected = self._expectation()
        if expected is None:
            return
        for origin, (method, target), names in product(origins, requests, self._header_lists()):
            asked = PageCall(origin, target, method, names, credentials)
            title = f"{method} {target} from {origin}" if name is None else name.text
            yield Case(title, asked, day, expected, source)

    def _several(self, key: str) -> list[Value]:
        if self._section.lacks(key):
            help = f"write it, as in `{_CASE}`"
            message = f"`{self._section.path}` has no `{key}`"
            self._findings.error("missing-key", self._section.node, message, help)
            return []
        node = self._section.get(key, "write one, or a list")
        if isinstance(node, Sequence) and not node.items:
            message = f"`{self._section.where(key)}` is empty: the case would test nothing"
            help = f"write at least one {key}, or remove the case"
            self._findings.error("empty-list", node, message, help)
        return [] if node is None else self._values(node, key)

    def _values(self, node: Node, key: str) -> list[Value]:
        """Return the texts of a list, or the one that stands for a list of one."""
        items = node.items if isinstance(node, Sequence) else [node]
        path = self._section.where(key)
        return [value for item in items if (value := self._findings.value(item, path))]

    def _is_origin(self, value: Value) -> bool:
        return self._could_be(value, "origin", _EXAMPLE_CALL._replace(origin=value.text))

    def _call(self, value: Value) -> tuple[str, str] | None:
        method, _, target = value.text.partition(" ")
        if value.text.startswith("/"):
            method, target = "GET", value.text
        call = _EXAMPLE_CALL._replace(method=method, target=target.strip(" "))
        if not call.target.startswith("/"):
            message = f"`{self._section.where('request')}`: {shown(value.text)} names no path"
            help = "write `METHOD /path`, such as `GET /v1/users`"
            self._findings.error("bad-call", value.node, message, help)
            return None
        is_call = self._could_be(value, "request", call)
        return (call.method, call.target) if is_call else None

    def _header_lists(self) -> list[tuple[str, ...]]:
        node = self._section.get("headers", "write a list of names, or of such lists")
        if node is None:
            return [()]
        if isinstance(node, Sequence) and any(isinstance(each, Sequence) for each in node.items):
            return [self._names(each) for each in node.items]
        return [self._names(node)]

    def _names(self, node: Node) -> tuple[str, ...]:
        return tuple(
            value.text
            for value in self._values(node, "headers")
            if self._could_be(value, "headers", _EXAMPLE_CALL._replace(headers=(value.text,)))
        )

    def _could_be(self, value: Value, key: str, call: PageCall) -> bool:
        """Whether a browser could make the call, of which `value` is the unusual part."""
        try:
            check_call(call)
        except ValueError as error:
            message = f"`{self._section.where(key)}`: {error}"
            self._findings.error("bad-call", value.node, message, "write what a browser sends")
            return False
        return True

    def _day(self) -> str | None:
        return self._section.parsed("at", parse_day, "write a date, such as `2027-01-31`")

    def _expectation(self) -> Expectation | None:
        path = self._section.where("expect")
        if self._section.lacks("expect"):
            help = f"write {', '.join(_RESULTS)}, or a code such as `{Code.METHOD_NOT_ALLOWED}`"
            message = f"`{self._section.path}` has no `expect`"
            self._findings.error("missing-key", self._section.node, message, help)
        node = self._section.get("expect", "write `allowed` or `refused`")
        if isinstance(node, MappingNode):
            section = Section(self._findings, node, "expect", path)
            what = self._what(section.value("code"), section.where("code"))
            at = section.value("at")
            return None if what is None else Expectation(what, None if at is None else at.text)
        value = self._findings.value(node, path) if isinstance(node, Scalar) else None
        if node is not None and not isinstance(node, Scalar):
            message = f"`{path}` is neither a word nor a mapping"
            self._findings.error("wrong-type", node, message, "write one, such as `refused`")
        what = self._what(value, path)
        return None if what is None else Expectation(what)

    def _what(self, value: Value | None, path: str) -> Result | Code | None:
        if value is None:
            return None
        if value.text in _RESULTS:
            return value.text
        try:
            return Code(value.text)
        except ValueError:
            message = f"`{path}`: {shown(value.text)} is not a result or a code"
            help = f"write {', '.join(_RESULTS)}, or a code that `corsproxy explain` prints"
            self._findings.error("unknown-code", value.node, message, help)
            return None
