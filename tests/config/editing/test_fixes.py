"""What `check --fix` corrects, and what it leaves to the author."""

import pytest

from corsproxy.config.editing.edits import File
from corsproxy.config.editing.fixes import Correction, correct
from tests.config.broken_files import BROKEN

HEAD = "upstream: https://a.test\n"


def corrected(text: str) -> Correction:
    return correct(File(text.encode(), "c.yaml", {}, "/etc"))


def mended(lines: str) -> str:
    return corrected(f"{HEAD}cors:\n{lines}").after.decode().removeprefix(f"{HEAD}cors:\n")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("origins: [https://b.test]", "allow_origins: [https://b.test]"),
        ("'allow-origins': https://b.test # c", "'allow_origins': https://b.test # c"),
        ("allowOrigins: []\n  maxAge: 5", "allow_origins: []\n  max_age: 5"),
        ("allow_origins: [*]", 'allow_origins: ["*"]'),
        ("allow_origins: *  # all", 'allow_origins: "*"  # all'),
        (
            "allow_origins:\n  - *\n  allow_headers:\n  - *",
            'allow_origins:\n  - "*"\n  allow_headers:\n  - "*"',
        ),
        ("allow_origins: [https://b.test/]", "allow_origins: [https://b.test]"),
        ("allow_origins: [https://b.test:443]", "allow_origins: [https://b.test]"),
        ("allow_origins: [HTTP://B.test:80/]", "allow_origins: [http://b.test]"),
        ("allow_origins: ['https://B.test']", "allow_origins: ['https://b.test']"),
        ("allow_origins: [http://0x7f.1:3000]", "allow_origins: [http://127.0.0.1:3000]"),
        ("allow_origins: ['http://[0:0::1]:3']", 'allow_origins: ["http://[::1]:3"]'),
        ("allow_origins: [http://a\u200b.test]", "allow_origins: [http://a.test]"),
        ("allow_origins: [a://b, c://d, a://b]", "allow_origins: [a://b, c://d]"),
        ("allow_origins:\n  - a://b\n  - a://b\n", "allow_origins:\n  - a://b\n"),
        ("allow_origins:\n  - a://b\n  - a://b", "allow_origins:\n  - a://b"),
        ("allow_origins:\r\n  - a://b\r\n  - a://b\r\n", "allow_origins:\r\n  - a://b\r\n"),
        (
            "allow_origins: []\n  allow_methods: [PUT, put, GET, GET, GET]",
            "allow_origins: []\n  allow_methods: [PUT, GET]",
        ),
        ("Origins: [HTTPS://b.test, https://b.test, *]", 'allow_origins: [https://b.test, "*"]'),
    ],
)
def test_unambiguous_mistakes_are_corrected(before: str, after: str) -> None:
    assert mended(f"  {before}") == f"  {after}"


@pytest.mark.parametrize(
    "lines",
    [
        "  allow_orgins: [https://b.test]\n",
        "  whitelist: [https://b.test]\n",
        "  allow_origins: [https://b.test]\n  cookies: true\n",
        "  allow_origins: [https://b.test/path]\n",
        "  allow_origins: [b.test]\n",
        "  allow_origins: [*.b.test]\n",
        "  allow_origins: [http://b\u00fccher.example]\n",
        "  allow_origins: [http://010.0.0.1]\n",
        "  allow_origins: ['http://[fe80::1%eth0]']\n",
        "  allow_origins: *others\n",
        "  allow_origins: [NULL]\n",
        "  allow_origins: [https://b.test]\n  allow_methods: [patch]\n",
        "  allow_origins: [https://b.test]\n  allow_credentials: yes\n",
        "  origins: [https://b.test]\n  allowed_origins: [https://c.test]\n",
        "  allow_origins:\n  - https://b.test\n  - https://b.test # why\n",
        "  allow_origins: [\n    https://b.test,\n    https://b.test, # why\n  ]\n",
        "  allow_origins: [https://b.test, # why\n    https://b.test]\n",
        "  allow_origins:\n  - &b https://b.test\n  - *b\n",
    ],
)
def test_ambiguous_mistakes_are_left(lines: str) -> None:
    assert mended(lines) == lines


def test_it_reports_corrections_and_remaining_problems() -> None:
    found = corrected(f"{HEAD}cors:\n  origins: [https://b.test/, b.test]\n")
    assert [problem.code for problem in found.fixed] == ["unknown-key", "origin-trailing-slash"]
    assert [problem.code for problem in found.problems] == ["origin-missing-scheme"]
    assert found.before != found.after


def test_a_good_file_stays() -> None:
    text = f"{HEAD}cors: {{allow_origins: [https://b.test]}}\n"
    found = corrected(text)
    assert (found.after, found.fixed, found.problems) == (text.encode(), (), ())


def test_a_byte_order_mark_and_other_alphabets_do_not_move_it() -> None:
    text = f"\ufeff# ünïcödé ✓\n{HEAD}cors: {{allow_origins: [https://b.test/]}} # é\n"
    assert corrected(text).after.decode() == text.replace("b.test/", "b.test")


def test_corrections_do_not_undo_each_other() -> None:
    """Correcting twice is correcting once."""
    for case in BROKEN.values():
        once = corrected(case.text)
        again = corrected(once.after.decode())
        assert (again.after, again.fixed) == (once.after, ())
        assert {problem.code for problem in once.fixed} <= {
            "unquoted-asterisk", "unknown-key", "duplicate-entry", "origin-upper-case",
            "origin-trailing-slash", "origin-default-port", "origin-ip-address",
            "origin-invisible-character",
        }  # fmt: skip
