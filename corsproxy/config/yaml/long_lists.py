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

from corsproxy.config.yaml.nodes import Mapping, Node, Scalar, Sequence
from corsproxy.config.yaml.source_text import Mark, SourceText

# Without quotes, comments, and a colon at its end: the text of each item is the rest of its line.
_ITEM = r"- https?://[a-z0-9._*:-]*[a-z0-9*]"
_RUN = re.compile(rf"\n( *){_ITEM}(\r?\n)(?:\1{_ITEM}\2){{16,}}+")


class Run(NamedTuple):
    """The lines between the first and the last that look alike. Offsets are those of the text."""

    first: int
    """Where the text of the first line's item starts; that line is kept, like the last one."""
    start: int
    end: int
    lines: int
    indent: int
    """The characters before the text of each item."""
    line_break: str


def runs(text: str) -> list[Run]:
    """Return the long runs in a text."""
    return [_run(text, found) for found in _RUN.finditer(text)]


def _run(text: str, found: re.Match[str]) -> Run:
    indent, line_break = len(found[1]) + len("- "), found[2]
    start = text.index("\n", found.start() + 1) + 1
    end = text.rindex("\n", start, found.end() - len(line_break)) + 1
    lines = text.count("\n", start, end)
    return Run(found.start() + 1 + indent, start, end, lines, indent, line_break)


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
                if not isinstance(item, Scalar) or not isinstance(last, Scalar):
                    return False
                if not _are_ends(item, last, run):
                    return False
                node.items += [*_items(run, item, source), last]
    return not pending


def _are_ends(first: Scalar, last: Scalar, run: Run) -> bool:
    """Whether both nodes are written on the lines around the run, and nowhere else."""
    return (
        first.end.offset == run.start - len(run.line_break)
        and last.start.offset == run.end + run.indent
        and last.start.line == last.end.line == first.end.line + run.lines + 1
    )


def _items(run: Run, first: Scalar, source: SourceText) -> Iterator[Scalar]:
    """Yield the items that were left out."""
    indent, column = run.indent, run.indent + 1
    offset, line = run.start + indent, first.start.line
    for written in source.lines[line : line + run.lines]:
        line += 1
        text = written[indent:]
        end = Mark(offset + len(text), line, column + len(text))
        yield Scalar(Mark(offset, line, column), end, text, True)
        offset += len(written) + len(run.line_break)


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
