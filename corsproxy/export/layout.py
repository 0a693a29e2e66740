"""Text with indentation and comments: what is the same in every engine's configuration."""

from collections.abc import Iterable

Lines = list[str]


def indented(lines: Iterable[str], by: int = 2) -> Lines:
    """Return the lines further in; empty ones stay empty."""
    return [" " * by + line if line else "" for line in lines]


def block(head: str, *bodies: Iterable[str]) -> Lines:
    """Return `head { ... }`, the bodies apart by empty lines."""
    lines: Lines = [f"{head} {{"]
    for body in map(list, bodies):
        if body and len(lines) > 1:
            lines.append("")
        lines += indented(body)
    return [*lines, "}"]


def printable(text: str) -> str:
    """Return a text that is one line wherever it stands; everything else is escaped."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def comment(text: str) -> str:
    """Return a comment that ends with its line, whatever `text` holds."""
    return f"# {printable(text)}".rstrip()
