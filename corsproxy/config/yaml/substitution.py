"""`${NAME}` in values: the environment's part of the file.

    ${NAME}            the variable; an error where it is not set
    ${NAME:-default}   the default where it is not set, or empty
    ${NAME:?message}   an error with this message where it is not set, or empty
    $$                 one dollar sign

Expanded after parsing, in values only: what a variable holds can never become structure.
Nothing is expanded twice. A dollar sign before anything that is no name stays.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from corsproxy.config.mistakes import BadValueError

_DOLLAR = re.compile(
    r"\$(?:(?P<escaped>\$)"
    r"|\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?:(?P<operator>:[-?])(?P<operand>[^{}$]*))?\}"
    r"|(?P<open>\{[^}]*\}?)"
    r"|(?P<bare>[A-Za-z_][A-Za-z0-9_]*))"
)
_SINGLE_DASH = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*(?:-|:(?![-?+]))[^}]*\}")


class Expansion(NamedTuple):
    """A value with its variables filled in."""

    text: str
    found: bool
    """Whether there was anything to fill in."""
    secrets: tuple[str, ...]
    """What the environment gave."""


def expand(text: str, environ: Mapping[str, str]) -> Expansion:
    """Return `text` with its references filled in from `environ`.

    Raises BadValueError at the first that cannot be.
    """
    parts: list[str] = []
    secrets: list[str] = []
    found = False
    end = 0
    for match in _DOLLAR.finditer(text):
        parts.append(text[end : match.start()])
        end = match.end()
        if match["escaped"]:
            parts.append("$")
            continue
        found = True
        value, given = _value(match, environ)
        parts.append(value)
        if given and value:
            secrets.append(value)
    parts.append(text[end:])
    return Expansion("".join(parts), found, tuple(secrets))


def _value(match: re.Match[str], environ: Mapping[str, str]) -> tuple[str, bool]:
    """Return what a reference stands for, and whether the environment gave it."""
    reference, name, operator = match[0], match["name"], match["operator"]
    if name is None:
        raise _malformed(match)
    value = environ.get(name)
    if value or (value is not None and operator is None):
        return value, True
    operand = match["operand"] or ""
    if operator == ":-":
        return operand, False
    state = "is empty" if value is not None else "is not set"
    message = f"the environment variable {name} {state}"
    help = f"set it, or write a default: `${{{name}:-…}}`"
    if operator == ":?" and operand.strip():
        message, help = f"{message}: {operand.strip()}", "set it where corsproxy is started"
    raise BadValueError("unset-variable", message, help, part=reference)


def _malformed(match: re.Match[str]) -> BadValueError:
    reference = match[0]
    if match["bare"]:
        message = f"`{reference}` is not expanded without braces"
        help = f"write `${{{match['bare']}}}` for the variable, or `$${match['bare']}` for the text"
        return BadValueError("bad-substitution", message, help, part=reference)
    help = "write `${NAME}`, `${NAME:-default}` or `${NAME:?message}`; `$$` is a dollar sign"
    if not reference.endswith("}"):
        help = "close it with `}`; `$$` is a dollar sign"
    elif "{" in reference[2:]:
        help = "references cannot be nested"
    elif _SINGLE_DASH.fullmatch(reference):
        help = "a default follows `:-`, as in `${NAME:-default}`"
    return BadValueError(
        "bad-substitution", f"`{reference}` is not a reference", help, part=reference
    )
