"""PyYAML's parse events -> nodes.

A loop and not a recursion, so that neither deep nesting nor an alias to itself can
exhaust anything: the depth and the number of nodes have limits, and an alias counts as
all that it repeats. Tags are refused, so no node can name a type of Python's. Anchors,
aliases and merge keys work; of two equal keys the first stays and the second is a problem.
"""

import re
from collections.abc import Iterable
from typing import NoReturn, Protocol

import yaml

from corsproxy.config.problems import ConfigError, Problem
from corsproxy.config.spelling import quoted, shown
from corsproxy.config.yaml.nodes import Entry, Mapping, Node, Scalar, Sequence
from corsproxy.config.yaml.source_text import LINE_BREAK, Extent, Mark, SourceText

MAX_NODES = 100_000
MAX_DEPTH = 64
_MAX_PROBLEMS = 1000

# Anchors and tags, and what separates them from the node that they belong to.
_PROPERTIES = re.compile(r"(?:[&!][^\s,\[\]{}]*(?:[ \t\r\n]|#[^\r\n]*)*)+")

_TAG = re.compile(r"![^\s,\[\]{}]*")
_MERGE = "<<"


class _RawMark(Protocol):
    """A mark as PyYAML has it: everything counts from 0."""

    @property
    def index(self) -> int: ...

    @property
    def line(self) -> int: ...

    @property
    def column(self) -> int: ...


def _mark(raw: _RawMark | None) -> Mark:
    """Only events that no parser made have no mark."""
    return Mark(0, 1, 1) if raw is None else Mark(raw.index, raw.line + 1, raw.column + 1)


class _Anchored:
    """An anchored node, and what an alias to it costs."""

    __slots__ = ("height", "node", "open", "weight")

    def __init__(self, node: Node) -> None:
        self.node = node
        self.open = True
        self.weight = 1
        self.height = 1


class _Frame:
    """A collection whose end has not come yet."""

    __slots__ = ("anchored", "height", "key", "keys", "merges", "node", "weight")

    def __init__(self, node: Sequence | Mapping, anchored: _Anchored | None) -> None:
        self.node = node
        self.anchored = anchored
        self.weight = 1
        self.height = 1
        self.key: Scalar | None = None
        self.keys: dict[str, Scalar] = {}
        self.merges: list[tuple[Scalar, Node]] = []


class Composer:
    """Builds the tree of one document."""

    def __init__(self, source: SourceText) -> None:
        self.problems: list[Problem] = []
        """What YAML allows and we do not, and what can be read all the same."""
        self.aliased: set[str] = set()
        """The anchors that an alias repeats: their nodes stand in several places."""
        self.tagged: list[Scalar] = []
        """A tagged node, whose meaning without the tag is unknown."""
        self.count = 0
        """The nodes so far; an alias counts as all that it repeats."""
        self._source = source
        self._frames: list[_Frame] = []
        self._anchors: dict[str, _Anchored] = {}
        self._root: Node | None = None

    def compose(self, events: Iterable[yaml.Event]) -> Node | None:
        """Return the root, or None where there is no document.

        Raises ConfigError at the first thing that cannot be read, and lets yaml's errors
        through.
        """
        documents = 0
        for event in events:
            if isinstance(event, yaml.ScalarEvent):
                self._scalar(event)
            elif isinstance(event, yaml.MappingStartEvent):
                self._open(event, Mapping(*self._extent(event), [], bool(event.flow_style)))
            elif isinstance(event, yaml.SequenceStartEvent):
                self._open(event, Sequence(*self._extent(event), [], bool(event.flow_style)))
            elif isinstance(event, yaml.CollectionEndEvent):
                self._close(event)
            elif isinstance(event, yaml.AliasEvent):
                self._alias(event)
            elif isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._refuse(
                        "several-documents",
                        event,
                        "the file contains a second document",
                        "keep one, and put the other in a file of its own",
                    )
        return self._root

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        plain = not event.style
        start, end = event.start_mark, event.end_mark
        if event.anchor is None and event.tag is None and start and end:
            # By far the most events of a file: no properties to step over, and `_mark` inline.
            node = Scalar(
                Mark(start.index, start.line + 1, start.column + 1),
                Mark(end.index, end.line + 1, end.column + 1),
                event.value,
                plain,
            )
            self._add(node, 1, 1)
            return
        node = Scalar(*self._extent(event), event.value, plain, event.anchor)
        if self._check_tag(event):
            self.tagged.append(node)
            # The exclamation mark was meant as the text's first character.
            node.text = node.text or (event.tag or "" if plain else "")
        if event.anchor is not None:
            anchored = self._anchors[event.anchor] = _Anchored(node)
            anchored.open = False
        self._add(node, 1, 1)

    def _open(self, event: yaml.CollectionStartEvent, node: Sequence | Mapping) -> None:
        self._check_tag(event)
        frame = self._frames[-1] if self._frames else None
        if frame is not None and isinstance(frame.node, Mapping) and frame.key is None:
            self._refuse_key(node)
        if len(self._frames) >= MAX_DEPTH:
            self._refuse("too-deep", event, f"nested deeper than {MAX_DEPTH} levels")
        anchored = None
        if event.anchor is not None:
            node.anchor = event.anchor
            anchored = self._anchors[event.anchor] = _Anchored(node)
        self._frames.append(_Frame(node, anchored))

    def _close(self, event: yaml.Event) -> None:
        frame = self._frames.pop()
        node = frame.node
        node.end = _mark(event.end_mark)
        if isinstance(node, Mapping):
            for key, value in frame.merges:
                self._merge(node, frame.keys, key, value)
        if frame.anchored is not None:
            frame.anchored.open = False
            frame.anchored.weight = frame.weight
            frame.anchored.height = frame.height
        self._add(node, frame.weight, frame.height)

    def _alias(self, event: yaml.AliasEvent) -> None:
        name = event.anchor or ""
        anchored = self._anchors.get(name)
        if anchored is None:
            # Most aliases to nothing are wildcards without quotes.
            message = f"{shown('*' + name)} is an alias in YAML, and no anchor has that name"
            fix = quoted(f"*{name}")
            help = f"quote it if you mean an asterisk: {shown(fix)}"
            extent = self._extent(event)
            problem = self._source.problem("unquoted-asterisk", extent, message, help, fix)
            raise ConfigError([*self.problems, problem])
        if anchored.open:
            self._refuse("recursive-alias", event, f"{shown('*' + name)} refers to itself")
        if len(self._frames) + anchored.height > MAX_DEPTH:
            self._refuse("too-deep", event, f"nested deeper than {MAX_DEPTH} levels")
        self.aliased.add(name)
        self.count += anchored.weight - 1
        node = anchored.node
        around = self._frames[-1].node if self._frames else None
        if isinstance(around, Sequence):
            if isinstance(node, Sequence):
                # No list of the file holds lists, so it is the alias that has to go.
                node = Sequence(*self._extent(event), node.items, node.flow, name)
            elif isinstance(node, Scalar) and node.start.offset > around.start.offset:
                # A list that repeats an item of its own: again, it is the alias that has to go.
                node = Scalar(*self._extent(event), node.text, node.plain, name)
        self._add(node, anchored.weight, anchored.height)

    def _add(self, node: Node, weight: int, height: int) -> None:
        """Put a finished node where it belongs."""
        self.count += 1
        if self.count > MAX_NODES:
            message = f"the file has more than {MAX_NODES:,} values, repeated ones included"
            raise ConfigError([*self.problems, self._source.problem("too-large", node, message)])
        if not self._frames:
            self._root = node
            return
        frame = self._frames[-1]
        frame.weight += weight
        if frame.height <= height:
            frame.height = height + 1
        if isinstance(frame.node, Sequence):
            frame.node.items.append(node)
        elif frame.key is None:
            if not isinstance(node, Scalar):
                self._refuse_key(node)
            frame.key = node
        else:
            key, frame.key = frame.key, None
            self._entry(frame, key, node)

    def _entry(self, frame: _Frame, key: Scalar, value: Node) -> None:
        first = frame.keys.get(key.text)
        if first is not None:
            if len(self.problems) < _MAX_PROBLEMS:
                message = f"{shown(key.text)} is written twice; first on line {first.start.line}"
                help = "keep one of them"
                if key.text == _MERGE:
                    help = "write one with a list: `<<: [*first, *second]`"
                self.problems.append(self._source.problem("duplicate-key", key, message, help))
            return
        frame.keys[key.text] = key
        if key.text == _MERGE and key.plain:
            frame.merges.append((key, value))
        elif isinstance(frame.node, Mapping):
            frame.node.entries.append(Entry(key, value))

    def _merge(self, node: Mapping, keys: dict[str, Scalar], key: Scalar, value: Node) -> None:
        """Take over the entries that the mapping does not write itself (YAML 1.1, "merge")."""
        for other in value.items if isinstance(value, Sequence) else [value]:
            if not isinstance(other, Mapping):
                help = "write an alias to one: `<<: *name`"
                message = "`<<` merges a mapping, and this is not one"
                self.problems.append(self._source.problem("bad-merge", key, message, help))
                return
            for entry in other.entries:
                if entry.key.text not in keys:
                    keys[entry.key.text] = entry.key
                    node.entries.append(Entry(entry.key, entry.value, merged=True))

    def _check_tag(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> bool:
        """Report a tag; return whether there is one."""
        if event.tag is None:
            return False
        if len(self.problems) < _MAX_PROBLEMS:
            mark = _mark(event.start_mark)
            found = _TAG.search(self._source.line(mark.line), mark.column - 1)
            column, text = (found.start() + 1, found[0]) if found else (mark.column, event.tag)
            message = f"{shown(text)} is a YAML tag, and tags are not supported"
            help = "remove it; quote the value if you mean it as text, with the exclamation mark"
            self.problems.append(
                self._source.at("tag", mark.line, column, len(text), message, help)
            )
        return True

    def _extent(self, event: yaml.Event) -> Extent:
        """Return where the event's node is written, its anchor and tag left out."""
        start, end = _mark(event.start_mark), _mark(event.end_mark)
        text = self._source.text
        if text[start.offset : start.offset + 1] not in ("&", "!"):
            return Extent(start, end)
        properties = _PROPERTIES.match(text, start.offset)
        if properties is None:
            return Extent(start, end)
        above = LINE_BREAK.split(properties[0])
        column = len(above[-1]) + (start.column if len(above) == 1 else 1)
        start = Mark(properties.end(), start.line + len(above) - 1, column)
        if isinstance(event, yaml.ScalarEvent) and start.offset > end.offset:
            start = end
        return Extent(start, end)

    def _refuse(self, code: str, event: yaml.Event, message: str, help: str = "") -> NoReturn:
        problem = self._source.problem(code, self._extent(event), message, help)
        raise ConfigError([*self.problems, problem])

    def _refuse_key(self, node: Node) -> NoReturn:
        # Imported here: most files are YAML.
        from corsproxy.config.yaml.syntax.values import bad_key

        raise ConfigError([*self.problems, bad_key(self._source, node.start)])
