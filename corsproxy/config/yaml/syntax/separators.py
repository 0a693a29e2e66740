"""Colons, commas and brackets that are missing, or are one too many."""

import re
from itertools import islice

from corsproxy.config.keys import KEYS, Place
from corsproxy.config.problems import Problem
from corsproxy.config.spelling import quoted, shown
from corsproxy.config.yaml.syntax.refusal import Line, Refusal

# A key with no space after its colon; `http://…` is no such key.
_NO_SPACE = re.compile(r"[ ]*(?:- +)*([A-Za-z_][\w.-]*):(?!//)(\S.*)")
# A mapping's key, and one of its own keys behind it.
_NESTED = re.compile(r"[ ]*(?:- +)*(\w+):\s+(([A-Za-z_]\w*):(?:\s+(.+)|))")
_IN_BRACES = re.compile(r"\[[^\[\]{}]*\]|\"[^\"]*\"|'[^']*'|[^\s,\[\]{}'\"]+")
_MAPPINGS: dict[str, Place] = {
    "cors": "cors",
    "timeout": "timeout",
    "tls": "tls",
    "limits": "limits",
    "log": "log",
    "request_headers": "headers",
    "response_headers": "headers",
}
_EQUALS = re.compile(r"[ ]*(?:- +)*[A-Za-z_][\w.-]*[ ]*(=)")


def space_after_colon(refusal: Refusal) -> Problem | None:
    """`key:value` and `key = value`, here or in the nearest lines above."""
    lines = [Line(refusal.line, refusal.text), *islice(refusal.above(), 2)]
    if refusal.context_line < refusal.line:
        lines.append(Line(refusal.context_line, refusal.source.line(refusal.context_line)))
    for line in lines:
        found = _NO_SPACE.match(line.text)
        if found is not None:
            value = found[2].rstrip()
            place = line.number, found.start(2) + 1
            message = "a space is missing after the colon"
            help = f"write {shown(f'{found[1]}: {value}')}"
            return refusal.at("missing-space", place, len(value), message, help, f" {value}")
        found = _EQUALS.match(line.text)
        if found is not None:
            place = line.number, found.start(1) + 1
            message = "a colon separates a key from its value in YAML"
            return refusal.at("equals-sign", place, 1, message, "write `:` instead of `=`", ":")
    return None


def nested_key(refusal: Refusal) -> Problem | None:
    """A key on the line of the key that it belongs to."""
    found = _NESTED.fullmatch(refusal.text.partition(" #")[0].rstrip())
    if "mapping values are not allowed" not in refusal.problem or found is None:
        return None
    place_of_key = _MAPPINGS.get(found[1])
    if place_of_key is None or found[3] not in KEYS[place_of_key]:
        return None
    inner, value = found[2], found[4]
    message = f"`{found[3]}` belongs below `{found[1]}`, or in braces"
    help = f"write `{found[3]}:` on a line of its own, indented below `{found[1]}:`"
    fix = None
    if not refusal.goes_on and value and _IN_BRACES.fullmatch(value):
        fix = f"{{{inner}}}"
        help = f"write `{fix}`"
    place = refusal.line, found.start(2) + 1
    return refusal.at("colon-in-value", place, len(inner), message, help, fix)


def second_colon(refusal: Refusal) -> Problem | None:
    """A value that holds a colon and a space."""
    if "mapping values are not allowed" not in refusal.problem:
        return None
    first = re.search(r":\s+", refusal.before)
    if first is None:
        return None
    value = refusal.text[first.end() :].partition(" #")[0].rstrip()
    joined = re.sub(r":\s+(?=\d+$|//)", ":", value)
    fix = joined if joined != value else quoted(value)
    help = f"write {shown(fix)}" if joined != value else f"quote the value: {shown(fix)}"
    message = "a value cannot hold a colon and a space unless it is quoted"
    place = refusal.line, first.end() + 1
    return refusal.at("colon-in-value", place, len(value), message, help, fix)


def no_key(refusal: Refusal) -> Problem | None:
    """A colon without a key."""
    missed = "expected key" in refusal.problem or "block end" in refusal.problem
    if not missed or refusal.character not in (":", "?"):
        return None
    place = refusal.line, refusal.column
    return refusal.at("empty-key", place, 1, "a key is missing before the colon")


def empty_entry(refusal: Refusal) -> Problem | None:
    """A comma too many in brackets."""
    if "flow" not in refusal.context or "node content" not in refusal.problem:
        return None
    place = refusal.line, refusal.column
    message = "an entry is missing here"
    if not refusal.character:
        return _open_at_the_end(refusal)
    if refusal.character != ",":
        return refusal.at("empty-entry", place, 1, message)
    return refusal.at("empty-entry", place, 1, message, "remove the surplus comma", "")


def _open_at_the_end(refusal: Refusal) -> Problem:
    last = Line(refusal.line, refusal.text)
    if not last.text.strip():
        last = next(refusal.above(), last)
    place = last.number, max(len(last.text.rstrip()), 1)
    message = "the file ends with a bracket still open"
    return refusal.at("open-bracket", place, 1, message, "close them")


def open_bracket(refusal: Refusal) -> Problem | None:
    """A list or mapping in brackets that is not closed, or lacks a comma."""
    if "flow" not in refusal.context:
        return None
    start = refusal.context_column - 1
    text = refusal.source.line(refusal.context_line)[start:].partition(" #")[0].rstrip()
    closing = "]" if text[:1] == "[" else "}"
    if refusal.line != refusal.context_line:
        place = refusal.context_line, refusal.context_column
        message = f"this `{text[:1]}` is never closed"
        fix = f"{text}{closing}" if len(text) > 1 else None
        help = f"close it with `{closing}`"
        return refusal.at("open-bracket", place, max(len(text), 1), message, help, fix)
    # At a colon, the parser has read the key that belongs to it already.
    word = re.search(r"[^\s,\[\]{}:]+$", refusal.before)
    column = word.start() + 1 if word and refusal.character == ":" else refusal.column
    part = refusal.text[column - 1 : refusal.column - 1] or refusal.character
    before = refusal.text[: column - 1].rstrip()
    if before.endswith(";"):
        message = "entries in brackets are separated by commas, not semicolons"
        place = refusal.line, len(before)
        return refusal.at("missing-comma", place, 1, message, "write `,` instead of `;`", ",")
    message = f"a comma or the closing `{closing}` is missing before this"
    help = "separate the entries with commas"
    place = refusal.line, column
    return refusal.at("missing-comma", place, len(part), message, help, f", {part}")
