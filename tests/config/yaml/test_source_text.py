"""The file's text: what is accepted as text, and positions in it."""

import pytest

from corsproxy.config.problems import ConfigError
from corsproxy.config.yaml.source_text import MAX_BYTES, Extent, Mark, SourceText, read_text


def test_a_byte_order_mark_is_skipped() -> None:
    assert read_text(b"\xef\xbb\xbfa: 1\n", "f").text == "a: 1\n"
    assert read_text("\ufeffa: 1\n", "f").text == "a: 1\n"


@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\r"])
def test_lines_end_as_editors_see_them(line_break: str) -> None:
    source = read_text(f"a: 1{line_break}b: 2{line_break}", "f")
    assert source.lines == ["a: 1", "b: 2", ""]
    assert (source.line(2), source.line(0), source.line(9)) == ("b: 2", "", "")


def test_the_size_of_a_truncated_file_is_not_stated() -> None:
    with pytest.raises(ConfigError) as refused:
        read_text(b"a" * (MAX_BYTES + 1), "f.yaml")
    assert refused.value.problems[0].message == "the file has more than 1,048,576 bytes"


@pytest.mark.parametrize(
    ("data", "code", "line", "column"),
    [
        (b"a" * (MAX_BYTES + 1), "file-too-large", 1, 1),
        ("é" * (MAX_BYTES // 2 + 1), "file-too-large", 1, 1),
        (b"\xff\xfea\0:\0", "not-utf-8", 1, 1),
        (b"\xfe\xff\0a\0:", "not-utf-8", 1, 1),
        (b"a: 1\nb: \xff", "not-utf-8", 2, 4),
        (b"a: 1\r\n\xc3\xa9\xc3", "not-utf-8", 2, 2),
        ("a: \udcff", "not-utf-8", 1, 4),
    ],
)
def test_invalid_text_is_refused(data: str | bytes, code: str, line: int, column: int) -> None:
    with pytest.raises(ConfigError) as refused:
        read_text(data, "f.yaml")
    (problem,) = refused.value.problems
    assert (problem.code, problem.source) == (code, ("f.yaml", line, column))
    assert problem.help


def test_a_file_of_the_largest_size_is_read() -> None:
    assert len(read_text(b"#" * MAX_BYTES, "f").text) == MAX_BYTES


def test_a_problem_underlines_its_part_of_the_line() -> None:
    source = SourceText("f", "ab: cd\nef\n")
    problem = source.problem("x", Extent(Mark(4, 1, 5), Mark(6, 1, 7)), "m", "h", "gh")
    assert (problem.source, problem.length, problem.line_text) == (("f", 1, 5), 2, "ab: cd")
    assert problem.fix == "gh"
    assert source.raw(Extent(Mark(4, 1, 5), Mark(6, 1, 7))) == "cd"


def test_a_problem_over_lines_underlines_the_first_and_has_no_fix() -> None:
    source = SourceText("f", "ab: cd\nef\n")
    problem = source.problem("x", Extent(Mark(4, 1, 5), Mark(9, 2, 3)), "m", "h", "gh")
    assert (problem.length, problem.fix) == (2, None)
