"""Mistakes inside of one value: what must be quoted, and quotes that do not fit."""

import re

from corsproxy.config.problems import Problem
from corsproxy.config.spelling import quoted, shown
from corsproxy.config.syntax.refusal import Refusal

# Addresses and origins whose brackets YAML takes for a list.
_IPV6 = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*://)?\[[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*\][^\s,\]}]*")
_WORD = re.compile(r"[^\s,\[\]{}]+")
_TEMPLATE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}")

_STARTS = {"*": "an alias", "&": "an anchor", "|": "a block of text", ">": "a block of text"}
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
    text = refusal.source.line(line)
    word = _WORD.match(text, column - 1)
    if word is None:
        return None
    fix = quoted(word[0])
    first = word[0][0]
    message = f"a value cannot start with `{first}` in YAML"
    if first in _STARTS:
        message = f"an unquoted `{first}` starts {_STARTS[first]} in YAML"
    code = "unquoted-asterisk" if first == "*" else "unquoted-character"
    help = f"quote it: {shown(fix)}"
    return refusal.at(code, (line, column), len(word[0]), message, help, fix)


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
    message = "a backslash starts an escape in double quotes, and this is none"
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


def template(refusal: Refusal) -> Problem | None:
    """A file that another program was to render."""
    for number in (refusal.line, refusal.line - 1):
        found = _TEMPLATE.search(refusal.source.line(number))
        if found is not None:
            place = number, found.start() + 1
            message = "this looks like a template, not like YAML"
            help = "render it first; `${NAME}` takes a value from the environment"
            return refusal.at("template", place, len(found[0]), message, help)
    return None


def after_value(refusal: Refusal) -> Problem | None:
    """Text behind a closing quote or bracket."""
    before = refusal.before.rstrip()
    if "block mapping" not in refusal.context and "block collection" not in refusal.context:
        return None
    if before[-1:] not in ("'", '"', "]", "}") and refusal.character not in ("]", "}"):
        return None
    rest = refusal.text[refusal.column - 1 :].rstrip()
    help = "remove it, or quote the whole value"
    if before[-1:] == "'":
        help = "in single quotes, a quote is written twice; or use double quotes"
    place = refusal.line, refusal.column
    fix = "" if rest in ("]", "}") else None
    return refusal.at(
        "text-after-value", place, len(rest), "the value has ended before this", help, fix
    )
