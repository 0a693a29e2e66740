"""Caddyfile syntax: tokens, and texts where Caddy replaces placeholders."""

from collections.abc import Sequence

from corsproxy.export.layout import Lines, block, comment


def token(text: str) -> str:
    """Return one token that means `text`; in backticks nothing has a meaning."""
    if "`" not in text:
        return f"`{text}`"
    escaped = text.replace('"', '\\"')
    return f'"{escaped}"'


def expression(text: str) -> str:
    """Return one token for a regular expression."""
    return token(text.replace("`", "\\x60"))


def value(text: str) -> str:
    """Return one token for a text in which Caddy replaces placeholders, `{$...}` even before it
    reads tokens."""
    return token(placed(text))


def placed(text: str) -> str:
    """Return the text with a placeholder for what would begin one, and for backticks."""
    return (
        text.replace("{", "\0")
        .replace("`", "{http.vars.cp_tick}")
        .replace("\0", "{http.vars.cp_brace}")
    )


def map_block(source: str, name: str, default: str, entries: Sequence[tuple[str, ...]]) -> Lines:
    """Return a map; each entry is an expression, a value and, if there is one, its place."""
    body = [f"{expression(f'~{key}')} {output}" for key, output, *_ in entries]
    places = [place[0] if place else "" for _, _, *place in entries]
    lines = [line for place, entry in zip(places, body, strict=True)
             for line in (*([comment(place)] if place else ()), entry)]  # fmt: skip
    return block(f"map {token(source)} {{{name}}}", [*lines, f"default {default}"])
