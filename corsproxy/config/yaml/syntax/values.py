"""Mistakes inside of one value: what must be quoted, and quotes that do not fit."""

import re

from corsproxy.config.problems import Problem
from corsproxy.config.spelling import as_value, quoted, shown, without_bullet
from corsproxy.config.terms import likely_origin
from corsproxy.config.yaml.source_text import Mark, SourceText
from corsproxy.config.yaml.syntax.refusal import Refusal

# Addresses and origins whose brackets YAML takes for a list.
_IPV6 = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*://)?\[[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*\][^\s,\]}]*")
_WORD = re.compile(r"[^\s,\[\]{}]+")
_WITH_VARIABLES = re.compile(r"(?:[^,\[\]{}]|(?<=\$)\{[^{}]*\})+")
_TEMPLATE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}")

_TEMPLATE_MESSAGE = "this looks like a template, not like YAML"
_TEMPLATE_HELP = "render it first; `${NAME}` takes a value from the environment"

_STARTS = {"&": "an anchor", "|": "a block of text", ">": "a block of text"}
_SCANS = frozenset(
    {"while scanning an alias", "while scanning an anchor", "while scanning a block scalar"}
)


def indicator(refusal: Refusal) -> Problem | None:
    """`*`, `&`, `|`, `>`, `@`, `%` or a backtick at the start of a value."""
    if refusal.context in _SCANS:
        line, column = refusal.context_line, refusal.context_column
    elif "cannot start any token" in refusal.problem:
        line, column = refusal.line, refusal.column
    else:
        return None
    value = _value_at(refusal.source.line(line), column - 1)
    first = value[:1]
    if not first.strip():
        return None
    if first == "*":
        return _asterisk(refusal, (line, column), value)
    bare = value.strip("`")
    fix = as_value(bare) if first == "`" and bare else quoted(value)
    message = f"a value cannot start with {'a backtick' if first == '`' else shown(first)} in YAML"
    if first in _STARTS:
        message = f"an unquoted `{first}` starts {_STARTS[first]} in YAML"
    help = f"{'write' if first == '`' else 'quote it:'} {shown(fix)}"
    return refusal.at("unquoted-character", (line, column), len(value), message, help, fix)


def _value_at(line: str, start: int) -> str:
    """Return what was meant as one value: a word in brackets, else the rest."""
    before = line[:start]
    if before.count("[") > before.count("]") or before.count("{") > before.count("}"):
        word = _WORD.match(line, start)
        return word[0] if word else ""
    return line[start:].partition(" #")[0].rstrip()


def _asterisk(refusal: Refusal, place: tuple[int, int], value: str) -> Problem:
    message = "an unquoted `*` starts an alias in YAML"
    fix = quoted("*" if value.strip("*") == "" else value)
    help = f"quote it: {shown(fix)}"
    item = without_bullet(value)
    key = refusal.key_of(*place)
    if item != value and not refusal.source.line(place[0])[: place[1] - 1].strip():
        fix = f"- {item}"
        help = f"a list item starts with `- `: write {shown(fix)}"
    elif key == "allowed_hosts" and value.strip("*"):
        help = 'name each host, since wildcards are not supported here; `"*"` alone allows any host'
        return refusal.at("unquoted-asterisk", place, len(value), message, help)
    elif key in ("listen", "admin") and value.startswith("*:"):
        fix = f"0.0.0.0{value[1:]}"  # noqa: S104
        help = f"to listen on every IPv4 address, write {shown(fix)}"
    elif value.startswith("*."):
        likely = likely_origin(value) if key == "allow_origins" else None
        fix = likely or f"https://{value}"
        help = f"an origin starts with its scheme: write {shown(fix)}"
    return refusal.at("unquoted-asterisk", place, len(value), message, help, fix)


def open_quote(refusal: Refusal) -> Problem | None:
    """A quote that is never closed."""
    if "quoted scalar" not in refusal.context or "end of stream" not in refusal.problem:
        return None
    rest = refusal.source.line(refusal.context_line)[refusal.context_column - 1 :]
    value = rest.partition(" #")[0].rstrip()
    quote = value[:1]
    # In brackets, what closes them stands behind the missing quote.
    inner = value.rstrip("]}")
    fix = f"{inner}{quote}{value[len(inner) :]}" if quote not in value[1:] else None
    place = refusal.context_line, refusal.context_column
    message = "this quote is never closed"
    return refusal.at("open-quote", place, len(value), message, f"close it with {quote}", fix)


def bad_escape(refusal: Refusal) -> Problem | None:
    """A backslash in double quotes, mostly of a Windows path or a regular expression."""
    expected = re.search("escape|hexdecimal", refusal.problem)
    if "quoted scalar" not in refusal.context or expected is None:
        return None
    rest = refusal.source.line(refusal.context_line)[refusal.context_column - 1 :]
    end = rest.find('"', 1)
    value = rest[: end + 1] if end > 0 else rest
    fix = f"'{value[1:-1]}'" if end > 0 and "'" not in value else None
    place = refusal.context_line, refusal.context_column
    message = "a backslash starts an escape in double quotes, and this is not a valid one"
    help = "write it in single quotes, where backslashes are plain"
    return refusal.at("bad-escape", place, len(value), message, help, fix)


def brackets_of_ipv6(refusal: Refusal) -> Problem | None:
    """An IPv6 address whose brackets were taken for a list."""
    for found in _IPV6.finditer(refusal.text):
        is_quoted = refusal.text[found.start() - 1 : found.start()] in ("'", '"')
        if is_quoted or not found.start() < refusal.column <= found.end() + 1:
            continue
        fix = quoted(found[0])
        place = refusal.line, found.start() + 1
        message = "unquoted brackets make a list in YAML"
        help = f"quote the address: {shown(fix)}"
        return refusal.at("unquoted-brackets", place, len(found[0]), message, help, fix)
    return None


def bad_key(source: SourceText, start: Mark) -> Problem:
    """Say why a list or a mapping stands where a key should."""
    line = source.line(start.line)
    address = _IPV6.match(line, start.column - 1)
    if address is not None:
        fix = quoted(address[0])
        message = "unquoted brackets make a list in YAML"
        help = f"quote the address: {shown(fix)}"
        return source.at(
            "unquoted-brackets", start.line, start.column, len(address[0]), message, help, fix
        )
    if line[start.column - 2 : start.column] == "{{":
        place = start.line, start.column - 1
        return source.at("template", *place, 2, _TEMPLATE_MESSAGE, _TEMPLATE_HELP)
    return source.at("bad-key", start.line, start.column, 1, "a key must be text")


def variable_in_brackets(refusal: Refusal) -> Problem | None:
    """`${NAME}` inside of brackets, whose braces start a mapping there."""
    if "flow" not in refusal.context or not refusal.text[: refusal.column].endswith("${"):
        return None
    start = max(refusal.before.rfind(mark) + len(mark) for mark in ("[", "{", ",", ": "))
    start += len(refusal.text[start:]) - len(refusal.text[start:].lstrip())
    value = _WITH_VARIABLES.match(refusal.text, start)
    if value is None:
        return None
    fix = quoted(value[0].rstrip())
    place = refusal.line, start + 1
    message = "inside brackets, the braces of a variable start a mapping in YAML"
    help = f"quote the value: {shown(fix)}"
    length = len(value[0].rstrip())
    return refusal.at("unquoted-variable", place, length, message, help, fix)


def template(refusal: Refusal) -> Problem | None:
    """A file that another program was to render."""
    found = _TEMPLATE.search(refusal.text)
    if found is None:
        return None
    place = refusal.line, found.start() + 1
    return refusal.at("template", place, len(found[0]), _TEMPLATE_MESSAGE, _TEMPLATE_HELP)


def after_value(refusal: Refusal) -> Problem | None:
    """Text behind a closing quote or bracket."""
    before = refusal.before.rstrip()
    within = refusal.before[-1:] in ("'", '"') and "flow" in refusal.context
    if not within and not refusal.context.startswith("while parsing a block"):
        return None
    if before[-1:] not in ("'", '"', "]", "}") and refusal.character not in ("]", "}"):
        return None
    rest = refusal.text[refusal.column - 1 :].rstrip("]}") if within else ""
    rest = rest or refusal.text[refusal.column - 1 :].rstrip()
    help = "remove it, or quote the whole value"
    if before[-1:] == "'":
        help = "in single quotes, a quote is written twice; or use double quotes"
    place = refusal.line, refusal.column
    fix = "" if rest in ("]", "}") else None
    return refusal.at("text-after-value", place, len(rest), "the value ends before this", help, fix)
