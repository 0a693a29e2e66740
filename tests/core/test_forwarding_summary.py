"""Which address an upstream is told, in words that agree with what is sent."""

from typing import Any

import pytest

from corsproxy.core.forwarding_summary import brief_forwarding_summary, forwarding_summary
from tests.policies import route


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {},
            "its own address: Host api.test:9000, Origin http://api.test:9000, X-Forwarded-For",
        ),
        (
            {"preserve_host": True, "origin": "keep"},
            (
                "the public address: Host as the browser sent it, the page's Origin,"
                " X-Forwarded-For, -Host and -Proto"
            ),
        ),
        (
            {"origin": "remove", "forwarded": "off"},
            "its own address: Host api.test:9000, no Origin, no X-Forwarded-*",
        ),
        (
            {"forwarded": "on", "origin": "keep"},
            (
                "its own address: Host api.test:9000, the page's Origin,"
                " X-Forwarded-For, -Host and -Proto"
            ),
        ),
    ],
)
def test_what_the_upstream_sees_fits_into_one_clause(changes: dict[str, Any], words: str) -> None:
    assert forwarding_summary(route(**changes)) == words


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "sees its own Host and Origin"),
        ({"origin": "keep"}, "sees its own Host"),
        ({"preserve_host": True, "origin": "keep"}, "sees the public Host and Origin"),
        ({"preserve_host": True}, "sees the public Host"),
        ({"forwarded": "on"}, "sees its own Host and Origin, X-Forwarded-Host too"),
    ],
)
def test_a_line_without_room_has_the_address(changes: dict[str, Any], words: str) -> None:
    assert brief_forwarding_summary(route(**changes)) == words
