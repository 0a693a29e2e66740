"""Caddyfile syntax: tokens, and texts in which Caddy replaces placeholders."""

from collections.abc import Sequence

from corsproxy.export.layout import Lines, block, comment


def token(text: str) -> str:
    """Return `text` as one token; in backticks nothing is special."""
    if "`" not in text:
        return f"`{text}`"
    escaped = text.replace('"', '\\"')
    return f'"{escaped}"'


def expression(text: str) -> str:
    """Return a regular expression as one token."""
    return token(text.replace("`", "\\x60"))


def value(text: str) -> str:
    """Return one token for a text in which Caddy replaces placeholders; `{$...}` is replaced even
    before tokens are read."""
    return token(placed(text))


def placed(text: str) -> str:
    """Replace opening braces and backticks by placeholders for them."""
    return (
        text.replace("{", "\0")
        .replace("`", "{http.vars.cp_tick}")
        .replace("\0", "{http.vars.cp_brace}")
    )


def map_block(source: str, name: str, default: str, entries: Sequence[tuple[str, ...]]) -> Lines:
    """Return a map. Each entry is an expression, a value and optionally its place in the file."""
    body = [f"{expression(f'~{key}')} {output}" for key, output, *_ in entries]
    places = [place[0] if place else "" for _, _, *place in entries]
    lines = [line for place, entry in zip(places, body, strict=True)
             for line in (*([comment(place)] if place else ()), entry)]  # fmt: skip
    return block(f"map {token(source)} {{{name}}}", [*lines, f"default {default}"])
