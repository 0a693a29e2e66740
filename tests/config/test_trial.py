"""Fixes that are tried first. The law over all tables of broken files is in test_reader.py."""

import pytest

from corsproxy.config.problems import fixed_line
from tests.config.broken_files import problems_of

BELOW = "\ncors: {allow_origins: [http://a.test]}\n"


@pytest.mark.parametrize(
    ("text", "code", "fixed"),
    [
        ("upstream: http://a.test\nvia: @proxy" + BELOW, "unquoted-character", None),
        (
            'upstream: http://a.test\ncors: {allow_origins: ["https://.*\\.a\\.test"]}\n',
            "bad-escape",
            "cors: {allow_origins: [https://*.a.test]}",
        ),
        (
            "upstream: http://a.test\ncors: {allow_origins: [*example]}\n",
            "unquoted-asterisk",
            None,
        ),
        ("upstream: *example" + BELOW, "unquoted-asterisk", None),
        ("upstream: http: //a.test/" + BELOW, "colon-in-value", "upstream: http://a.test/"),
        ("upstream: `http://a.test" + BELOW, "unquoted-character", "upstream: http://a.test"),
        ("upstream: @a" + BELOW + "# " + "x" * 100_000, "unquoted-character", 'upstream: "@a"'),
    ],
)
def test_a_fix_is_one_that_passes_at_its_place(text: str, code: str, fixed: str | None) -> None:
    [problem] = problems_of(text)
    assert (problem.code, fixed_line(problem)) == (code, fixed)
    assert problem.help
