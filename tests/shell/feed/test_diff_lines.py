"""A diff for people."""

from corsproxy.shell.feed.diff_lines import diff_lines

BEFORE = b"a: 1\nb: 2\n"


def plain(before: bytes, after: bytes) -> list[str]:
    return list(diff_lines("c.yaml", before, after, color=False))


def test_lines_have_the_colours_that_git_gives_them() -> None:
    assert list(diff_lines("c.yaml", BEFORE, b"a: 1\nb: 3\n", color=True)) == [
        "\x1b[1m--- a/c.yaml\x1b[0m",
        "\x1b[1m+++ b/c.yaml\x1b[0m",
        "\x1b[36m@@ -1,2 +1,2 @@\x1b[0m",
        " a: 1",
        "\x1b[31m-b: 2\x1b[0m",
        "\x1b[32m+b: 3\x1b[0m",
    ]


def test_the_file_cannot_control_the_terminal() -> None:
    lines = plain(b"", "a: 1 # \x1b]0;x\x07 \u202e\t!\r\n".encode())
    assert lines[3] == "+a: 1 # \\x1b]0;x\\x07 \\u202e\t!"


def test_a_line_that_looks_like_a_header_is_none() -> None:
    assert plain(b"-- x\n", b"++ x\n")[3:] == ["--- x", "+++ x"]
