"""Long lists of origins, read without a parser: most of a long file are lines that look alike.

Every line of a run leaves a YAML parser where it was before that line: in a block list, in front
of an item. So if the first line and the last are items of one list, all between them are items of
it as well. They are left out of the text that is parsed, and put into its tree. If the two lines
turn out to be anything else, such as lines of a block scalar, the text has to be parsed as it is.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from collections.abc import Sequence as Series
from itertools import accumulate
from typing import NamedTuple

from corsproxy.config.yaml.nodes import Entry, Mapping, Node, Scalar, Sequence
from corsproxy.config.yaml.source_text import Mark, SourceText

# Without quotes, comments, and a colon at its end: the text of each item is the rest of its line.
_ORIGIN = r"https?://[a-z0-9._*:-]*[a-z0-9*]"
_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_WORDS = r"[A-Za-z](?:[A-Za-z0-9 ._/-]*[A-Za-z0-9])?"
_IN_BRACES = re.compile(
    rf" *- \{{(origin): ({_ORIGIN}), (until): ({_DAY})(?:, (reason): ({_WORDS}))?\}}"
)
_ITEM = rf"- (?:{_ORIGIN}|\{{origin: {_ORIGIN}, until: {_DAY}(?:, reason: {_WORDS})?\}})"
_RUN = re.compile(rf"\n( *){_ITEM}(\r?\n)(?:\1{_ITEM}\2){{16,}}+")


class Run(NamedTuple):
    """The lines between the first and the last that look alike. Offsets are those of the text."""

    first: int
    """Where the first line's item starts; that line is kept, like the last one."""
    start: int
    end: int
    lines: int
    nodes: int
    """How many nodes there are on them."""
    indent: int
    """The characters before each item."""
    line_break: str


def runs(text: str) -> list[Run]:
    """Return the long runs in a text."""
    return [_run(text, found) for found in _RUN.finditer(text)]


def _run(text: str, found: re.Match[str]) -> Run:
    indent, line_break = len(found[1]) + len("- "), found[2]
    start = text.index("\n", found.start() + 1) + 1
    end = text.rindex("\n", start, found.end() - len(line_break)) + 1
    lines = text.count("\n", start, end)
    nodes = lines + 2 * text.count(": ", start, end)  # an item, and each key with its value
    return Run(found.start() + 1 + indent, start, end, lines, nodes, indent, line_break)


def without(text: str, left_out: Series[Run]) -> str:
    """Return the text without the lines of the runs."""
    ends = [0, *(run.end for run in left_out)]
    starts = [*(run.start for run in left_out), len(text)]
    return "".join(text[end:start] for end, start in zip(ends, starts, strict=True))


def put_back(root: Node, left_out: Series[Run], source: SourceText) -> bool:
    """Complete the tree of the text without the runs: with their items, and with the places that
    everything has in `source`. No node may stand in it twice.

    Return whether it could be done; if not, the tree is of no use.
    """
    moved = _Places(left_out)
    lists: list[Sequence] = []
    for node in _nodes(root):
        node.start, node.end = moved(node.start), moved(node.end)
        if isinstance(node, Sequence) and not node.flow:
            lists.append(node)
    pending = {run.first: run for run in left_out}
    for node in lists:
        items = iter(node.items)
        node.items = []
        for item in items:
            node.items.append(item)
            run = pending.pop(item.start.offset, None)
            if run is not None:
                last = next(items, None)
                if last is None or not _are_ends(item, last, run):
                    return False
                node.items += [*_items(run, item.end.line, source), last]
    return not pending


def _are_ends(first: Node, last: Node, run: Run) -> bool:
    """Whether both nodes are written on the lines around the run, and nowhere else."""
    return (
        first.end.offset == run.start - len(run.line_break)
        and last.start.offset == run.end + run.indent
        and last.start.line == last.end.line == first.end.line + run.lines + 1
    )


def _items(run: Run, line: int, source: SourceText) -> Iterator[Node]:
    """Yield the items that were left out below a line."""
    indent, column = run.indent, run.indent + 1
    offset = run.start
    for written in source.lines[line : line + run.lines]:
        line += 1
        in_braces = _IN_BRACES.fullmatch(written) if written[indent] == "{" else None
        if in_braces is None:
            start = Mark(offset + indent, line, column)
            end = Mark(offset + len(written), line, len(written) + 1)
            yield Scalar(start, end, written[indent:], True)
        else:
            yield _in_braces(in_braces, offset, line, indent)
        offset += len(written) + len(run.line_break)


def _in_braces(found: re.Match[str], offset: int, line: int, indent: int) -> Mapping:
    """Return the mapping on a line that starts at `offset`."""
    scalars: list[Scalar] = []
    for group in range(1, (found.lastindex or 0) + 1):
        start, end = found.span(group)
        at, behind = Mark(offset + start, line, start + 1), Mark(offset + end, line, end + 1)
        scalars.append(Scalar(at, behind, found[group], True))
    entries = list(map(Entry, scalars[::2], scalars[1::2]))
    at, behind = Mark(offset + indent, line, indent + 1), scalars[-1].end
    behind = Mark(behind.offset + 1, line, behind.column + 1)
    return Mapping(at, behind, entries, True)


class _Places:
    """What a place in the text without the runs is in the whole text."""

    def __init__(self, left_out: Series[Run]) -> None:
        self._offsets = [0, *accumulate(run.end - run.start for run in left_out)]
        self._lines = [0, *accumulate(run.lines for run in left_out)]
        self._cuts = [
            run.start - before for run, before in zip(left_out, self._offsets, strict=False)
        ]

    def __call__(self, place: Mark) -> Mark:
        before = bisect_right(self._cuts, place.offset)
        offset, line, column = place
        return Mark(offset + self._offsets[before], line + self._lines[before], column)


def _nodes(root: Node) -> Iterator[Node]:
    pending = [root]
    while pending:
        node = pending.pop()
        yield node
        if isinstance(node, Sequence):
            pending += node.items
        elif isinstance(node, Mapping):
            for key, value, _ in node.entries:
                pending += key, value
