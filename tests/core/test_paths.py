"""A path of the upstream is the client's again after a change of prefix."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.core.paths import client_path, has_dot_segments


@pytest.mark.parametrize(
    ("path", "upstream_prefix", "client_prefix", "expected"),
    [
        (b"/v2/login", b"/v2", b"/shop", b"/shop/login"),
        (b"/v2", b"/v2", b"/shop", b"/shop"),
        (b"/v2/", b"/v2", b"/shop", b"/shop/"),
        (b"/v2", b"/v2", b"", b"/"),
        (b"/v2/x", b"/v2", b"", b"/x"),
        (b"/v2//x", b"/v2", b"", b"//x"),
        (b"/x", b"", b"/shop", b"/shop/x"),
        (b"/", b"", b"/shop", b"/shop/"),
        (b"/x", b"", b"", b"/x"),
        (b"", b"", b"", b"/"),
        (b"/v2x", b"/v2", b"/shop", None),
        (b"/v1/x", b"/v2", b"/shop", None),
        (b"/v", b"/v2", b"/shop", None),
        (b"/V2/x", b"/v2", b"/shop", None),
        (b"/", b"/v2", b"/shop", None),
        (b"", b"/v2", b"", None),
        (b"x", b"", b"/shop", None),
        (b"\\x", b"", b"/shop", None),
    ],
)
def test_prefixes_change_on_whole_segments(
    path: bytes, upstream_prefix: bytes, client_prefix: bytes, expected: bytes | None
) -> None:
    assert client_path(path, upstream_prefix, client_prefix) == expected


@given(st.binary())
def test_every_path_survives_a_round_trip(rest: bytes) -> None:
    path = b"/" + rest
    mapped = client_path(b"/v2" + path, b"/v2", b"/shop")
    assert mapped == b"/shop" + path
    assert client_path(mapped, b"/shop", b"/v2") == b"/v2" + path


@pytest.mark.parametrize(
    "path",
    [b"/..", b"/../x", b"/a/./b", b"/a/.", b"/%2e%2E/x", b"/.%2e", b"/a\\..\\b", b"/a/..\\b"],
)
def test_dot_segments_are_seen_encoded_or_not(path: bytes) -> None:
    assert has_dot_segments(path)


@pytest.mark.parametrize("path", [b"/", b"/.well-known", b"/a..b/", b"/...", b"/%2e%2e%2e", b".."])
def test_other_dots_are_not_dot_segments(path: bytes) -> None:
    assert not has_dot_segments(path)
