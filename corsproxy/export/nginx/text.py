"""nginx's syntax: strings, regular expressions, maps."""

from collections.abc import Sequence

from corsproxy.export.layout import Lines, block, comment

LONGEST = 4000
"""Bytes. nginx takes no parameter longer than 4,096 (`NGX_CONF_BUFFER`)."""


GRANT = (
    "add_header Access-Control-Allow-Origin $cp_granted always;",
    "add_header Access-Control-Allow-Credentials $cp_credentials always;",
    "add_header Access-Control-Expose-Headers $cp_exposed always;",
    "add_header Vary $cp_vary always;",
)
"""What every actual response carries; a location with fields of its own must repeat it."""


def quoted(text: str) -> str:
    """Return `text` as a parameter in which nginx would replace variables.

    A dollar sign cannot be escaped: it comes from `$cp_dollar`.
    """
    return plainly_quoted(text.replace("$", "\0")).replace("\0", "${cp_dollar}")


def pattern(expression: str, kind: str = "~") -> str:
    """Return a map's parameter for a regular expression; "~*" ignores case."""
    return plainly_quoted(kind + expression)


def plainly_quoted(text: str) -> str:
    """Return `text` as a parameter in which nginx replaces no variables."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def milliseconds(seconds: float | None) -> str:
    """Return a time; nginx has none without end."""
    return "24h" if seconds is None else f"{round(seconds * 1000)}ms"


def map_block(source: str, name: str, default: str, entries: Sequence[tuple[str, ...]]) -> Lines:
    """Return a map. Each entry is a key, a value and optionally its place in the file."""
    body = [f"default {default};"] if default != '""' else []
    for key, value, *place in entries:
        body.append(f"{key} {value};" + "".join(f" {comment(each)}" for each in place))
    if len(body) == 1:
        return (
            [f"map {source} {name} {{ {body[0]} }}"]
            if not entries
            else block(f"map {source} {name}", body)
        )
    return block(f"map {source} {name}", body or ['default "";'])
