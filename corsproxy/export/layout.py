"""Indentation and comments, the same in every engine's configuration."""

from collections.abc import Iterable

Lines = list[str]


def indented(lines: Iterable[str]) -> Lines:
    """Indent the lines; empty ones stay empty."""
    return [f"  {line}" if line else "" for line in lines]


def block(head: str, *bodies: Iterable[str]) -> Lines:
    """Return `head { ... }`, the bodies separated by empty lines."""
    lines: Lines = [f"{head} {{"]
    for body in map(list, bodies):
        if body and len(lines) > 1:
            lines.append("")
        lines += indented(body)
    return [*lines, "}"]


def is_text(value: bytes) -> bool:
    """Whether a field's value is UTF-8."""
    try:
        value.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def as_text(value: bytes) -> str:
    """Return a field's name or value as text; bytes that are not UTF-8 are kept."""
    return value.decode("utf-8", "surrogateescape")


def printable(text: str) -> str:
    """Escape a text so that it stays on one line."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def comment(text: str) -> str:
    """Return a comment that stays on its line, whatever `text` contains."""
    return f"# {printable(text)}".rstrip()
