"""Lists of texts: origins, methods, header names, hosts. One text is a list of one."""

import re
from collections.abc import Callable
from typing import NamedTuple

from corsproxy.config.findings import Findings, Value
from corsproxy.config.keys import KEYS, suggest
from corsproxy.config.spelling import as_list, as_value, shown
from corsproxy.config.terms import entry_in, entry_of_pair
from corsproxy.config.yaml.nodes import Mapping, Node, Scalar, is_null
from corsproxy.config.yaml.source_text import Extent, Mark, Span

_ORIGIN = re.compile(r"[a-z]+://[^\s,;$]+")
_BETWEEN = re.compile(r"[\s,;]+")
_BULLETS = frozenset("-–—•·+")
_LOOKED_AT = 8
_DASH = re.compile(r"-[A-Za-z]")
_SPLIT = re.compile(r"[0-9*]+$|//")
_ENTRY = re.compile(r"[\w-]+|[A-Za-z][A-Za-z0-9+.-]*://\S+")


class Listing(NamedTuple):
    """A list of texts, or the one text that stands for a list of one."""

    node: Node
    values: list[Value]


ReadMapping = Callable[[Mapping], Value | None]
"""Reads an entry that is a mapping; None after a problem was reported."""


def read_listing(
    findings: Findings, node: Node, path: str, read_mapping: ReadMapping | None = None
) -> Listing | None:
    """Return `node` as a list of texts; entries with problems are left out.

    `read_mapping` finds the text of an entry that says more than its text.
    """
    if isinstance(node, Mapping):
        message = f"`{path}` is a mapping, not a list"
        findings.error("wrong-type", node, message, "write `[one, two]`, or lines with `- `")
        return None
    if isinstance(node, Scalar):
        if node.plain and node.start.line == node.end.line and _DASH.match(node.text):
            _no_item(findings, node, path)
            return Listing(node, [])
        value = findings.value(node, path)
        with_terms = read_mapping is not None
        whole = value is not None and _is_one(findings, value, path, "[{}]", with_terms)
        return Listing(node, [value] if value is not None and whole else [])
    values = []
    pattern = "{}" if node.flow else ""
    for item in node.items:
        if isinstance(item, Scalar) and _ORIGIN.fullmatch(item.text):
            # By far the most entries of long lists: nothing to fill in, nothing to split.
            values.append(Value(item, item.text, item.plain))
        elif is_null(item):
            _empty_entry(findings, item, path)
        elif isinstance(item, Mapping) and not (read_mapping and _says_more(item)):
            _pair(findings, item, path, read_mapping is not None)
        else:
            value = (
                read_mapping(item)
                if isinstance(item, Mapping) and read_mapping
                else findings.value(item, path)
            )
            with_terms = read_mapping is not None and isinstance(item, Scalar)
            if value is not None and _is_one(findings, value, path, pattern, with_terms):
                values.append(value)
    return Listing(node, values)


def _no_item(findings: Findings, node: Scalar, path: str) -> None:
    """One list item without the space after its dash."""
    item = node.text[1:].strip()
    fix = f"- {item}"
    if findings.source_text.line(node.start.line)[: node.start.column - 1].strip():
        fix = as_list([item])
    message = f"`{path}`: a space is missing after the dash"
    findings.error("missing-space", node, message, f"write {shown(fix)}", fix)


def _says_more(item: Mapping) -> bool:
    """Whether an entry is a mapping on purpose, its keys misspelled or not."""
    keys = [entry.key.text for entry in item.entries]
    if any(key in KEYS["origin"] for key in keys):
        return True
    return any(suggest("origin", key).key for key in keys[:_LOOKED_AT])


def _is_one(
    findings: Findings, value: Value, path: str, pattern: str, with_terms: bool = False
) -> bool:
    """Whether a value is one entry and not several in one text. `with_terms` says that it may
    be a mapping as well."""
    if _BETWEEN.search(value.text) is None:
        return True
    entry = entry_in(value.text) if with_terms and value.literal else None
    if entry is not None:
        message = f"`{path}`: an entry with an end or a reason is a mapping, not a text"
        meant = pattern.replace("{}", entry) or entry
        findings.error("several-entries", value.node, message, f"write `{meant}`", meant)
        return False
    split = [part for part in _BETWEEN.split(value.text[:2000]) if part]
    # A line with `- ` is a list item, but not in a text.
    parts = [part for part in split if part not in _BULLETS]
    items = len(parts) < len(split) and parts != []
    commas = "," in value.text or ";" in value.text
    if len(parts) < 2 - items or not (commas or all(_ENTRY.fullmatch(part) for part in parts)):
        return True
    fix = None
    if value.literal and (pattern or len(parts) == 1):
        fix = (pattern or "{}").format(as_list(parts)[1:-1])
    what = "list items written as a text" if items else "several entries in one text"
    message = f"`{path}`: {what}"
    help = "write each as an entry of its own"
    if not value.literal:
        help = "write each as an entry of its own; a variable holds one"
    elif fix and (len(parts) == 1 or pattern != "{}"):
        help = f"write {'a list' if pattern == '[{}]' else 'it alone'}: {shown(fix)}"
    span: Span = value.node
    mark, *lines = findings.source_text.raw(span).split("\n")
    if mark[:1] in ("|", ">") and all(line.lstrip()[:2] in ("", "- ") for line in lines):
        # Without the mark, the lines below are what they look like.
        help += f", or remove the `{mark}`"
        span, fix = _first_line(findings, span), ""
    findings.error("several-entries", span, message, help, fix)
    return False


def _first_line(findings: Findings, span: Span) -> Extent:
    start = span.start
    rest = len(findings.source_text.line(start.line)) - start.column + 1
    return Extent(start, Mark(start.offset + rest, start.line, start.column + rest))


def _empty_entry(findings: Findings, item: Node, path: str) -> None:
    written = isinstance(item, Scalar) and item.text
    help = "remove it, or write its value"
    if written:
        help = 'write `"null"`, with quotes, if you mean the text'
    fix = '"null"' if written == "null" else None
    findings.error("missing-value", item, f"`{path}` has an empty entry", help, fix)


def _pair(findings: Findings, item: Mapping, path: str, with_terms: bool) -> None:
    """A mapping where a text was meant: mostly a text with a space after its colon.
    `with_terms` says that a mapping with other keys is allowed."""
    help = "write the entry as one text"
    fix = None
    extent = Extent(item.start, item.end)
    if len(item.entries) == 1:
        key, value, _ = item.entries[0]
        text = value.text if isinstance(value, Scalar) else None
        # A colon and a space turn a text into a mapping.
        if key.plain and text and not item.flow and _SPLIT.match(text):
            fix = as_value(f"{key.text}:{text}")
        elif with_terms and "://" in key.text:
            fix = entry_of_pair(key.text, text)
        elif text and key.plain and not item.flow and "://" not in key.text:
            fix = as_value(text)
        if fix is not None and not item.flow:
            extent = Extent(item.start, value.end)
    if fix is not None:
        help = f"write `{fix}`"
    what = "a mapping, not a text"
    if with_terms and (fix is None or fix.startswith("{")):
        what = "a mapping without `origin`"
    findings.error("wrong-type", extent, f"`{path}`: this entry is {what}", help, fix)
