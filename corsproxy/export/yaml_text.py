"""YAML with comments. Every text is double-quoted ASCII, so nothing in it can be read as YAML,
or as a template: Traefik and Helm replace `{{` before they read YAML.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from corsproxy.export.layout import Lines, comment

_NOT_PRINTABLE_ASCII = re.compile(r"[^ -~]")

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")


Node = dict[str, Any]

# What YAML 1.1 reads as booleans and null.
_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "y", "n", "null"})


class Noted(NamedTuple):
    """A value with a comment before it."""

    note: str
    value: object


class Block(NamedTuple):
    """Our own text as a block scalar; it must not contain anything from a file."""

    text: str


def quoted(text: str) -> str:
    """Return a double-quoted scalar (YAML 1.2, 7.3.1)."""
    # Without a call for each backslash: an expression for many origins is full of them.
    escaped = text.replace("\\", r"\\").replace('"', r"\"")
    if not (text.isascii() and text.isprintable()):
        escaped = _NOT_PRINTABLE_ASCII.sub(_escaped, escaped)
    return '"' + escaped.replace("{{", "\\x7B\\x7B") + '"'


def _escaped(found: re.Match[str]) -> str:
    number = ord(found[0])
    if number < 0x100:
        return f"\\x{number:02X}"
    return f"\\u{number:04X}" if number < 0x10000 else f"\\U{number:08X}"


def dump(value: object) -> Lines:
    """Return a document of mappings, sequences, strings, numbers and booleans.

    Keys must be short enough for YAML: at most 1,024 characters as written (YAML 1.2, 7.4.2).
    """
    if isinstance(value, Noted):
        return [comment(value.note), *dump(value.value)]
    if isinstance(value, Mapping) and value:
        return [line for key, each in value.items() for line in _entry(_key(key), each)]
    if isinstance(value, Sequence) and not isinstance(value, str) and value:
        return [line for each in value for line in _item(each)]
    return [_scalar(value)]


def _key(key: object) -> str:
    text = str(key)
    is_plain = _PLAIN_KEY.fullmatch(text) and text.lower() not in _WORDS
    return text if is_plain else quoted(text)


def _scalar(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, str):
        return quoted(value)
    return "{}" if isinstance(value, Mapping) else "[]"


def _entry(key: str, value: object) -> Lines:
    if isinstance(value, Noted):
        return [comment(value.note), *_entry(key, value.value)]
    if isinstance(value, Block):
        return [f"{key}: |", *(f"  {line}".rstrip() for line in value.text.splitlines())]
    if _is_nested(value):
        return [f"{key}:", *(f"  {line}" for line in dump(value))]
    return [f"{key}: {_scalar(value)}"]


def _item(value: object) -> Lines:
    if isinstance(value, Noted):
        return [comment(value.note), *_item(value.value)]
    first, *rest = dump(value)
    if first.startswith("#"):
        notes = [line for line in (first, *rest) if line.startswith("#")]
        others = [line for line in (first, *rest) if not line.startswith("#")]
        return [*notes, f"- {others[0]}", *(f"  {line}" for line in others[1:])]
    return [f"- {first}", *(f"  {line}" for line in rest)]


def _is_nested(value: object) -> bool:
    if isinstance(value, str) or not isinstance(value, Mapping | Sequence):
        return False
    return bool(value)
