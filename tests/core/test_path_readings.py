"""What back ends make of a path: each way alone, several together, and once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.core.path_readings import path_readings
from corsproxy.core.routing import Target, parse_target


def target(path: bytes) -> Target:
    parsed = parse_target(path)
    assert parsed is not None
    return parsed


@pytest.mark.parametrize(
    ("path", "reading"),
    [
        (b"/%61dmin", b"/admin"),
        (b"/%61%64%6d%69%6E", b"/admin"),
        (b"/a%2fb", b"/a/b"),
        (b"/a%2Fb", b"/a/b"),
        (b"/%61%2fb", b"/a%2fb"),
        (b"//admin", b"/admin"),
        (b"/a///b", b"/a/b"),
        (b"/a%2f/b", b"/a/b"),
        (b"/a\\b", b"/a/b"),
        (b"/a%5cb", b"/a/b"),
        (b"/a%5Cb", b"/a\\b"),
        (b"/\\a", b"/a"),
        (b"/a;x=1/b", b"/a/b"),
        (b"/;x/a", b"/a"),
        (b"/a%3bx/b", b"/a/b"),
        (b"/a;x%2fb", b"/a/b"),
        (b"/a;x%2fb/c", b"/a/c"),
        (b"/a;x\\b/c", b"/a/b/c"),
        (b"/a;x\\b/c", b"/a/c"),
        (b"//;x/%61;y/%5c/b", b"/a/b"),
        (b"/caf%c3%a9", "/café".encode()),
    ],
)
def test_a_path_has_its_readings(path: bytes, reading: bytes) -> None:
    assert reading in path_readings(path)
    assert path in path_readings(path)
    assert not target(path).is_plain


@pytest.mark.parametrize(
    ("path", "other"),
    [
        (b"/%2561dmin", b"/admin"),  # only what decodes twice reads that
        (b"/Admin", b"/admin"),
        (b"/admin%zz", b"/admin"),
        (b"/admin%20", b"/admin"),
    ],
)
def test_what_is_no_reading(path: bytes, other: bytes) -> None:
    assert other not in path_readings(path)


@given(st.from_regex(r"/[a-z0-9._~!$&'()*+,=:@-]*(/[a-z0-9._~!$&'()*+,=:@-]+)*", fullmatch=True))
def test_a_plain_path_has_one_reading(text: str) -> None:
    path = text.encode()
    if target(path).is_plain:
        assert path_readings(path) == {path}


@given(st.text(st.sampled_from("/ab%2fF5cC61;\\"), max_size=60))
def test_readings_are_few(text: str) -> None:
    assert len(path_readings(text.encode())) <= 96
