"""Route paths. Refused values are in broken/routes.txt."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.config.mistakes import BadValueError
from corsproxy.config.paths import parse_path


@pytest.mark.parametrize(
    "text",
    [
        "/",
        "/api",
        "/api/v1",
        "/a.b",
        "/...",
        "/.well-known/x",
        "/~me",
        "/a:b",
        "/v1/x:cancel",
        "/a;b=c",
        "/@x/(y)",
    ],
)
def test_paths_are_bytes_as_they_are_written(text: str) -> None:
    assert parse_path(text) == text.encode()


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/café", b"/caf%C3%A9"),
        ("/страница/x", b"/%D1%81%D1%82%D1%80%D0%B0%D0%BD%D0%B8%D1%86%D0%B0/x"),
        ("/日本", b"/%E6%97%A5%E6%9C%AC"),
        ("/a/😀", b"/a/%F0%9F%98%80"),
    ],
)
def test_non_ascii_characters_are_percent_encoded(text: str, path: bytes) -> None:
    assert parse_path(text) == path


@pytest.mark.parametrize("text", ["/\x85", "/\u2028", "/\u202e", "/\udcff", "/\xa0", "/é b"])
def test_invisible_characters_are_refused(text: str) -> None:
    with pytest.raises(BadValueError):
        parse_path(text)


@pytest.mark.parametrize(
    "text", ["/.", "/..", "/a/..", "/./a", "/a//b", "//", "/a/", "/:id", "/a%2Fb", "/" + "a" * 1024]
)
def test_misleading_paths_are_refused(text: str) -> None:
    with pytest.raises(BadValueError) as refused:
        parse_path(text)
    assert refused.value.code == "bad-path"


@given(st.text(st.sampled_from("/a.*?#%:{}^$()\\é h"), max_size=20))
def test_every_text_is_a_path_or_refused_with_one(text: str) -> None:
    try:
        path = parse_path(text)
    except BadValueError as mistake:
        if mistake.suggestion is not None:
            parse_path(mistake.suggestion)
    else:
        assert path.startswith(b"/")
        assert path == b"/" or not path.endswith(b"/")
        assert b"//" not in path
        assert not {b".", b".."} & set(path.split(b"/"))
