"""How a text is written: as a value in the file, plain where YAML allows; in a message."""

import re

# What is safe unquoted in block and in flow context, and is text in YAML 1.1 and 1.2.
_PLAIN = re.compile(r"[A-Za-z/][\w./+~-]*(?::[\w./+~*-]+)*", re.ASCII)
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)*(?:[:/][0-9]+)?|(?:[0-9]+(?:\.[0-9]+)?[A-Za-z]{1,3})+")
_NO_SPACE = re.compile(r"([A-Za-z_]\w*):(?!//)(\S.*)")
_BULLET = re.compile(r"(?:[-–—•·◦‣]\s*|[*+]\s+)+(?=[A-Za-z\"'{/])")
_LONGEST_PLAIN = 512
_SHOWN = 60
_NOT_TEXT = re.compile(r"(?i)true|false|null|yes|no|on|off|y|n|~")


def quoted(text: str) -> str:
    """Return `text` in double quotes."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def as_value(text: str) -> str:
    """Return `text` as a value that reads back as the same text."""
    if len(text) > _LONGEST_PLAIN or _NOT_TEXT.fullmatch(text):
        return quoted(text)
    return text if _PLAIN.fullmatch(text) or _NUMBER.fullmatch(text) else quoted(text)


def as_list(values: list[str]) -> str:
    """Return a list in one line."""
    return f"[{', '.join(map(as_value, values))}]"


def with_space(text: str) -> str | None:
    """Return `key:value` as `key: value`; None for every other text, URLs included."""
    found = _NO_SPACE.fullmatch(text)
    return f"{found[1]}: {found[2]}" if found else None


def without_bullet(text: str) -> str:
    """Return a list item without the mark in front of it that YAML does not take for a dash."""
    found = _BULLET.match(text)
    return text[found.end() :] if found else text


def shown(text: str) -> str:
    """Return `text` as messages quote it: short, in backticks."""
    short = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    return f"`{short}`" if short else '`""`'
