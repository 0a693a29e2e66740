"""Saving calls as cases: the file reads them back, and the rest stays the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.config.editing.cases import case_text, new_file, with_case
from corsproxy.config.editing.splices import EditError
from corsproxy.config.expectations import Case, read_expectations
from corsproxy.core.page_call import PageCall
from corsproxy.core.verdicts import Code

NAME = "corsproxy.test.yaml"
CALL = PageCall("https://app.example.com", "/v1?a={b},:'$x\"", "PUT", ("x-a", "x-b"), True)


def cases(content: bytes) -> tuple[Case, ...]:
    return read_expectations(content, NAME, {}).cases


def test_a_new_file_has_the_case() -> None:
    text = case_text(CALL, "2027-01-31", Code.METHOD_NOT_ALLOWED)
    [case] = cases(new_file("corsproxy.yaml", text))
    assert (case.call, case.day, case.expected.what) == (
        CALL,
        "2027-01-31",
        Code.METHOD_NOT_ALLOWED,
    )


LAYOUTS = [
    "config: a.yaml\ncases:\n  - {origin: https://a.test, request: GET /, expect: allowed}\n",
    "cases:\n- origin: https://a.test # ours\n  request: GET /\n  expect: allowed",
    "cases: [{origin: https://a.test, request: GET /, expect: allowed}]\nconfig: a.yaml\n",
    "cases: []\n",
]


@pytest.mark.parametrize("text", LAYOUTS)
def test_a_case_comes_last_and_the_rest_stays(text: str) -> None:
    before = cases(text.encode())
    content = with_case(text.encode(), NAME, case_text(CALL, None, "allowed"))
    after = cases(content)
    assert after[-1].call == CALL
    assert [case.call for case in after[:-1]] == [case.call for case in before]
    for line in text.splitlines():
        assert line.rstrip("]\n")[:20] in content.decode()


def test_a_file_without_cases_cannot_be_extended() -> None:
    with pytest.raises(EditError):
        with_case(b"config: a.yaml", NAME, case_text(CALL, None, "allowed"))


@given(st.text(st.sampled_from("/?&=$%{}[]:#,'\"*!|>@`-~a1. "), max_size=12))
def test_whatever_the_path_it_is_read_back(path: str) -> None:
    target = "/" + path.replace("#", "").replace(" ", "")
    call = CALL._replace(target=target)
    [case] = cases(new_file("a.yaml", case_text(call, None, "refused")))
    assert case.call == call
