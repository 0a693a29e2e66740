"""Unified diffs of files."""

import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.config.editing.diffs import diff


def test_a_changed_line() -> None:
    assert diff("c.yaml", b"a: 1\nb: 2\n", b"a: 1\nb: 3\n") == [
        "--- a/c.yaml", "+++ b/c.yaml", "@@ -1,2 +1,2 @@", " a: 1", "-b: 2", "+b: 3",
    ]  # fmt: skip


def test_a_path_from_the_root_stays_one() -> None:
    assert diff("/etc/c.yaml", b"a\n", b"b\n")[:2] == ["--- /etc/c.yaml", "+++ /etc/c.yaml"]


def test_a_missing_final_line_break_is_reported() -> None:
    lines = diff("c.yaml", b"a", b"a\nb")
    assert lines[3:] == ["-a", "\\ No newline at end of file", "+a", "+b",
                         "\\ No newline at end of file"]  # fmt: skip


def test_carriage_returns_stay() -> None:
    assert diff("c.yaml", b"a\r\n", b"a\r\nb\r\n")[3:] == [" a\r", "+b\r"]


def test_only_line_breaks_of_yaml_break_lines() -> None:
    text = "a\x0bb\x85c\u2028d\n".encode()
    assert len(diff("c.yaml", text, text + b"e\n")) == 5


@given(st.binary(max_size=20).filter(bytes.isascii))
def test_equal_files_have_no_diff(data: bytes) -> None:
    assert diff("c.yaml", data, data) == []


lines = st.lists(st.sampled_from(["a\n", "b\n", "c\n"]), max_size=12).map("".join)


@given(lines, lines, st.integers(0, 9), st.integers(0, 9))
def test_each_hunk_stands_where_it_belongs(old: str, new: str, head: int, tail: int) -> None:
    start = "".join(f"{number}\n" for number in range(head))
    end = "".join(f"-{number}\n" for number in range(tail))
    before, after = f"{start}{old}\n{end}", f"{start}{new}\n{end}"
    assert applied(before, diff("c.yaml", before.encode(), after.encode())) == after


def applied(before: str, hunks: list[str]) -> str:
    """Return the text with the hunks applied, each at the very line that it names."""
    old = [line for line in re.split(r"(?<=\n)", before) if line]
    new: list[str] = []
    taken = 0
    for line in hunks[2:]:
        text = f"{line[1:]}\n"
        if line.startswith("@@"):
            at, count = (int(part or 1) for part in re.findall(r"-(\d+),?(\d*)", line)[0])
            new += old[taken : at - (count > 0)]
            taken = at - (count > 0)
        elif line.startswith("+"):
            new.append(text)
        else:
            assert old[taken] == text
            new += [text] if line.startswith(" ") else []
            taken += 1
    return "".join([*new, *old[taken:]])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"a: 1\nb: 2\n", b"a: 1\nx: 3\nb: 2\n"),
        (b"a: 1\r\nb: 2\r\n", b"a: 1\r\nx: 3\r\nb: 2\r\n"),
        (b"a: 1", b"a: 1\nb: 2"),
        ("\ufeffé: 1\n".encode(), "\ufeffé: 1\nü: 2\n".encode()),
    ],
)
def test_git_applies_it(tmp_path: Path, before: bytes, after: bytes) -> None:
    (tmp_path / "c.yaml").write_bytes(before)
    patch = "".join(f"{line}\n" for line in diff("c.yaml", before, after)).encode()
    subprocess.run(["git", "apply", "-"], cwd=tmp_path, input=patch, check=True)
    assert (tmp_path / "c.yaml").read_bytes() == after
