"""How a YAML file is laid out, and the splices that add to it in its own manner.

Indentation, line breaks, the gap after a dash, one entry per line or many, a comma at the
end: what is added looks like what is there. Nothing that is there changes, but for a
single value that becomes the first entry of a list.

Facts about the nodes' marks (both of PyYAML's parsers): those of scalars and flow
collections are exact. A block collection ends where the next token starts, behind
comments and empty lines; a block scalar behind its empty lines. Most aliases have no marks of
their own: their node is the anchored one, which is written elsewhere.
"""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from corsproxy.config.editing.splices import EditError, Splice, insertion
from corsproxy.config.spelling import as_value, quoted
from corsproxy.config.yaml.document import Document
from corsproxy.config.yaml.nodes import Entry, Mapping, Node, Scalar, Sequence
from corsproxy.config.yaml.source_text import LINE_BREAK

_WIDEST_LINE = 100
_USUAL_STEP = 2

# Possessive: a comma in a comment separates nothing.
_COMMA = re.compile(r"(?:[ \t\r\n]|(?<=[ \t\r\n])#[^\r\n]*+)*+,")
_GAP = re.compile(r"-( +)\S")
_REST_OF_LINE = re.compile(r"[ \t]*(?:#[^\r\n]*)?(?=[\r\n]|\Z)")
_COMMENT_LINE = re.compile(r"(?:\r\n|\n|\r)(?P<indent> *)#[^\r\n]*")
# What a plain scalar may hold in block context only (YAML 1.2, 7.3.3).
_NOT_IN_FLOW = re.compile(r"[\[\]{},]")

_HOLDS_ALIAS = ("an alias stands among the entries, which hides where they end", "edit it by hand")

Value = str | list[str] | dict[str, "Value"]
"""What is added, as YAML writes it: one value, a list of values, a mapping."""


class _Slot(NamedTuple):
    """Where a member of a flow collection is written."""

    start: int
    end: int


class Layout:
    """Makes splices for one document."""

    def __init__(self, document: Document) -> None:
        self._text = document.source.text
        self._root = document.root
        # JSON is YAML, and stays JSON: everything in it is in double quotes.
        self._json = document.root.flow and all(
            not entry.key.plain for entry in document.root.entries
        )

    def written(self, text: str) -> str:
        """Return `text` as a value: quoted only where YAML, or a number's look, needs it.

        A dollar sign is doubled, because references are filled in.
        """
        return self.copied(text.replace("$", "$$"))

    def copied(self, text: str) -> str:
        """Return the text of another value of the file, references included, as a value."""
        return quoted(text) if self._json or text[:1].isdigit() else as_value(text)

    def add_item(self, node: Node, value: str) -> list[Splice]:
        """Return what adds `value` at the end of a list, or of the one value that stands
        for a list. Raises EditError where the end of the list is not known."""
        if isinstance(node, Scalar):
            return self._listed(node, value)
        if isinstance(node, Mapping):
            raise EditError("there is a mapping where a list should be")
        if node.flow:
            slots = [self._slot(node, item, item) for item in node.items]
            return self._add_to_flow(node, slots, value, empty=not node.items)
        last = node.items[-1]
        indent = " " * (node.start.column - 1)
        dash = self._text[self._line_start(last.start.offset) : last.start.offset + 1]
        gap = _GAP.match(dash, node.start.column - 1)
        end = self._line_end(self._content_end(node))
        line = f"{self._newline(end)}{indent}-{gap[1] if gap else ' '}{value}"
        return [insertion(end, line)]

    def add_entry(
        self, node: Mapping, key: str, value: Value, after: Entry | None = None
    ) -> list[Splice]:
        """Return what adds a key: in a block mapping behind the entry `after`, by default
        behind the last one. Raises EditError where that place is not known."""
        own = [entry for entry in node.entries if not entry.merged]
        if node.flow:
            slots = [self._slot(node, entry.key, entry.value) for entry in own]
            empty = self._text[node.start.offset + 1 : node.end.offset - 1].strip() == ""
            return self._add_to_flow(node, slots, self._in_flow(key, value), empty=empty)
        column = node.start.column - 1
        if not own:
            # All of it comes through `<<`, whose key is the mapping's first.
            lines = self._in_block(key, value, column, self._newline(node.start.offset))
            text = f"{lines}{self._newline(node.start.offset)}{' ' * column}"
            return [insertion(node.start.offset, text)]
        end = self._content_end(node) if after is None else self._entry_end(node, after)
        end = self._behind_comments(self._line_end(end), column)
        newline = self._newline(end)
        lines = self._in_block(key, value, column, newline)
        return [insertion(end, f"{newline}{' ' * column}{lines}")]

    # What is written

    def _in_flow(self, key: str, value: Value) -> str:
        return f"{quoted(key) if self._json else key}: {self._flow_value(value)}"

    def _flow_value(self, value: Value) -> str:
        if isinstance(value, str):
            return value
        if isinstance(value, list):
            return f"[{', '.join(value)}]"
        return f"{{{', '.join(self._in_flow(key, inner) for key, inner in value.items())}}}"

    def _in_block(self, key: str, value: Value, column: int, newline: str) -> str:
        """Return a key and its value in the lines of a block mapping; the first without
        its indentation, `column` spaces."""
        step = self._step()
        inner = column + step
        if isinstance(value, dict):
            lines = (self._in_block(name, part, inner, newline) for name, part in value.items())
            return f"{key}:" + "".join(f"{newline}{' ' * inner}{line}" for line in lines)
        line = f"{key}: {self._flow_value(value)}"
        if isinstance(value, str) or column + len(line) <= _WIDEST_LINE:
            return line
        return f"{key}:" + "".join(f"{newline}{' ' * inner}- {item}" for item in value)

    def _step(self) -> int:
        """Return by how many spaces the file indents a mapping in a mapping."""
        for mapping in _block_mappings(self._root):
            for entry in mapping.entries:
                step = entry.value.start.column - mapping.start.column
                inner = isinstance(entry.value, Mapping) and not entry.value.flow
                if inner and not entry.merged and 0 < step <= 16:
                    return step
        return _USUAL_STEP

    def _newline(self, offset: int) -> str:
        """Return the line break that ends the line at `offset`, or else the file's first."""
        found = LINE_BREAK.search(self._text, offset) or LINE_BREAK.search(self._text)
        return found[0] if found else "\n"

    # Where it is written

    def _line_start(self, offset: int) -> int:
        return max(self._text.rfind("\n", 0, offset), self._text.rfind("\r", 0, offset)) + 1

    def _line_end(self, offset: int) -> int:
        found = LINE_BREAK.search(self._text, offset)
        return found.start() if found else len(self._text)

    def _content_end(self, node: Node) -> int:
        """Return where the last thing in `node` that is no comment ends, or a place behind
        it on its line."""
        start, end = node.start.offset, node.end.offset
        content = start + len(self._text[start:end].rstrip())
        if isinstance(node, Scalar) or node.flow:
            return content
        children = node.items if isinstance(node, Sequence) else [v for _, v, _ in node.entries]
        inside = [child for child in children if start <= child.start.offset < end]
        # A line that looks like a comment may be one of a block scalar: hence both ways.
        while content > start:
            line_start = self._line_start(content)
            line = self._text[max(line_start, start) : content].strip()
            if line and not line.startswith("#"):
                break
            content = start + len(self._text[start:line_start].rstrip())
        if not inside:
            return content
        last = max(inside, key=lambda child: child.start.offset)
        return max(content, self._content_end(last))

    def _behind_comments(self, offset: int, column: int) -> int:
        """Return the end of the last of the comments below the line that ends at `offset`
        which are indented by more than `column`: they belong to what stands above them."""
        for found in _COMMENT_LINE.finditer(self._text, offset):
            if found.start() != offset or len(found["indent"]) <= column:
                break
            offset = found.end()
        return offset

    def _entry_end(self, node: Mapping, entry: Entry) -> int:
        if entry.value.start.offset >= entry.key.end.offset:
            return self._content_end(entry.value)
        return self._content_end(node)  # an alias

    def _slot(self, node: Sequence | Mapping, first: Node, last: Node) -> _Slot:
        """Return where a member of a flow collection is, whose parts are first and last."""
        start, end = first.start.offset, self._content_end(last)
        if not node.start.offset < start <= end < node.end.offset or last.start.offset < start:
            raise EditError(*_HOLDS_ALIAS)
        return _Slot(start, end)

    def _add_to_flow(
        self, node: Sequence | Mapping, slots: list[_Slot], text: str, *, empty: bool
    ) -> list[Splice]:
        """Return what adds a member at the end of a flow collection."""
        if not slots:
            inside = node.start.offset + 1
            pad = " " if self._text[inside] in " \t" else ""
            return [insertion(inside, f"{pad}{text}" if empty else f"{pad}{text},{pad or ' '}")]
        last = slots[-1]
        if any(one.end > other.start for one, other in pairwise(slots)):
            raise EditError(*_HOLDS_ALIAS)
        before = self._text[self._line_start(last.start) : last.start]
        comma = _COMMA.match(self._text, last.end)
        if before.strip() not in ("", ","):
            if comma is not None:
                return [insertion(comma.end(), f" {text},")]
            return [insertion(last.end, f", {text}")]
        return self._add_line_to_flow(last, before, comma.end() if comma else None, text)

    def _add_line_to_flow(
        self, last: _Slot, before: str, comma: int | None, text: str
    ) -> list[Splice]:
        """Return what adds a member where each has a line of its own."""
        if before.strip() == "," and comma is None:
            end = self._end_of_flow_line(last.end)
            return [insertion(end, f"{self._newline(end)}{before}{text}")]
        behind = last.end if comma is None else comma
        end = self._end_of_flow_line(behind)
        indent = " " * len(before)
        line = f"{self._newline(end)}{indent}{text}{'' if comma is None else ','}"
        if comma is not None:
            return [insertion(end, line)]
        return [insertion(behind, ","), insertion(end, line)]

    def _end_of_flow_line(self, offset: int) -> int:
        """Return the end of the line where nothing but a comment follows, else `offset`."""
        return self._line_end(offset) if _REST_OF_LINE.match(self._text, offset) else offset

    def _listed(self, node: Scalar, value: str) -> list[Splice]:
        """Return what makes a list of the single value `node`, and adds another."""
        start, end = node.start.offset, self._content_end(node)
        raw = self._text[start:end]
        if raw.startswith(("|", ">")):
            raise EditError("its one entry is a block of text", "write a list")
        quote = '"' if node.plain and _NOT_IN_FLOW.search(raw) else ""
        return [insertion(start, f"[{quote}"), insertion(end, f"{quote}, {value}]")]


def _block_mappings(node: Mapping) -> Iterator[Mapping]:
    """The block mappings in `node`, itself first, in file order."""
    pending: list[Node] = [node]
    while pending:
        found = pending.pop()
        if isinstance(found, Scalar):
            continue
        children = found.items if isinstance(found, Sequence) else [v for _, v, _ in found.entries]
        if isinstance(found, Mapping) and not found.flow:
            yield found
        pending += reversed(children)
