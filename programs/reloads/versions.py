"""Versions of an allowlist file that mark everything that an exchange can show of them."""

import re
from typing import NamedTuple

from tests.fakes import Reply
from tests.policies import PAGE

UNLISTED = "https://unlisted.example.com"
# A refusal names a line of the file. The version number decides how many comments come before it.
_LINES = 50
_FIRST_LINE = 2
_NUMBER = re.compile(r"\bv([0-9]+)\b")


def page_of(number: int) -> str:
    """The origin that this version allows and no other does."""
    return f"https://v{number}.example.com"


def text_of(number: int, upstream: int, routes: int, *, broken: bool = False) -> str:
    """The file of this version: two routes to the port `upstream`, and more up to `routes`."""
    lines = [
        *["#"] * (number % _LINES),
        "cors:",
        f"  allow_origins: [{PAGE}, '{page_of(number)}']",
        f"  allow_methods: [GET, PUT, V{number}]",
        f"  allow_headers: [content-type, x-v{number}]",
        f"  expose_headers: [x-version, x-v{number}]",
        f"  max_age: {number}",
        "log: {requests: none}",
        "routes:",
    ]
    for name in ("api", "slow"):
        lines += [
            f"  - name: {name}",
            f"    path: /{name}",
            f"    upstream: http://127.0.0.1:{upstream}",
            f"    request_headers: {{set: {{X-Version: '{number}'}}}}",
            f"    response_headers: {{set: {{X-Version: '{number}'}}}}",
        ]
    for index in range(2, routes):
        lines += _rich_route(index, upstream, number)
    if broken:
        lines.append(f"v{number}: true")
    return "\n".join([*lines, ""])


def _rich_route(index: int, upstream: int, number: int) -> list[str]:
    """A route with as many keys as possible."""
    return [
        f"  - name: r{index}",
        f"    path: /more/r{index}",
        f"    upstream: http://127.0.0.1:{upstream}/base{index}",
        "    strip_path: true",
        "    cors:",
        "      allow_origins:",
        f"        - https://app{index}.example.com",
        f"        - https://*.t{index}.example.com",
        f"        - {PAGE}",
        "      allow_methods: [GET, PUT, PATCH, DELETE]",
        f"      allow_headers: [content-type, authorization, x-v{number}]",
        f"      expose_headers: [x-total-count, x-r{index}]",
        "      max_age: 10m",
        "    request_headers:",
        f"      set: {{X-Route: r{index}}}",
        "      remove: [x-debug]",
        "    response_headers:",
        f"      set: {{X-Served-By: r{index}}}",
        "      remove: [server]",
        "    timeout: {connect: 3s, response: 30s, idle: 2m}",
    ]


class Marks(NamedTuple):
    """The versions that a reply shows, by place."""

    by_place: dict[str, int]
    line: int | None = None
    """The number modulo `_LINES`, if a refusal names a line."""

    def within(self, floor: int, ceiling: int) -> dict[str, int]:
        """Return all of them; a line stands for the last version up to `ceiling` that has it."""
        if self.line is None:
            return self.by_place
        number = ceiling - (ceiling - self.line) % _LINES
        return {**self.by_place, "line": number}


def marks_of(reply: Reply) -> Marks:
    """Read the marks. Raises AssertionError if a required one is missing."""
    if reply.status == 200:
        return Marks(
            {
                "to the upstream": int(reply.content),
                "to the client": _number(reply.value("X-Version"), "{}"),
                "exposed": _number(
                    reply.value("Access-Control-Expose-Headers"), "x-version, x-v{}"
                ),
            }
        )
    if reply.status == 204:
        allowed = "Access-Control-Allow-"
        return Marks(
            {
                "methods": _number(reply.value(f"{allowed}Methods"), "GET, PUT, V{}"),
                "headers": _number(reply.value(f"{allowed}Headers"), "content-type, x-v{}"),
                "max age": _number(reply.value("Access-Control-Max-Age"), "{}"),
            }
        )
    assert reply.status == 403, f"status {reply.status}"
    reason = reply.value("Corsproxy-Reason") or ""
    line = re.fullmatch(r"origin-not-allowed; at=corsproxy\.yaml:([0-9]+):[0-9]+", reason)
    assert line, f"reason {reason!r}"
    return Marks({}, (int(line[1]) - _FIRST_LINE) % _LINES)


def _number(value: str | None, form: str) -> int:
    found = re.fullmatch(re.escape(form).replace(r"\{\}", "([0-9]+)"), value or "")
    assert found, f"{value!r} is not {form!r}"
    return int(found[1])


def names(text: str, number: int) -> bool:
    """Whether the proxy's report about a reload names this version."""
    return any(int(found) == number for found in _NUMBER.findall(text))
