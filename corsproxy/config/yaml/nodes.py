"""The file as a tree: scalars, sequences and mappings that know where they are written.

Nothing is converted: a scalar is the text as written, and the reader of each
key decides what it means. That keeps YAML's guesses (`off`, `010`, `1:30`) out.
"""

from dataclasses import dataclass
from typing import NamedTuple

from corsproxy.config.yaml.source_text import Mark


@dataclass(slots=True, eq=False)
class Scalar:
    """One value without parts. `text` has its quotes and escapes resolved."""

    start: Mark
    end: Mark
    text: str
    plain: bool
    """Written without quotes, so that `true` and `5` may mean more than text."""
    anchor: str | None = None


@dataclass(slots=True, eq=False)
class Sequence:
    """`start` is the first "-" of a block sequence, or the "[" of a flow sequence."""

    start: Mark
    end: Mark
    items: list["Node"]
    flow: bool
    anchor: str | None = None


class Entry(NamedTuple):
    """A key of a mapping and its value."""

    key: Scalar
    value: "Node"
    merged: bool = False
    """Came through `<<`, and so is written in another mapping."""


@dataclass(slots=True, eq=False)
class Mapping:
    """`start` is its first key, or the "{". No two entries have the same key."""

    start: Mark
    end: Mark
    entries: list[Entry]
    flow: bool
    anchor: str | None = None


Node = Scalar | Sequence | Mapping


def kind_of(node: Node) -> str:
    """Return what the node is, in words for people."""
    if isinstance(node, Scalar):
        return "a single value"
    return "a list" if isinstance(node, Sequence) else "a mapping"


def is_null(node: Node) -> bool:
    """Whether the node is YAML's null: nothing at all, `~` or `null` (YAML 1.2, 10.3.2)."""
    return (
        isinstance(node, Scalar) and node.plain and node.text in ("", "~", "null", "Null", "NULL")
    )
