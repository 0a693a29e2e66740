"""`${NAME}` in values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.config.mistakes import BadValueError
from corsproxy.config.yaml.substitution import Expansion, expand
from tests.config.reading import MINIMAL, policy_of, problems_of, route_of, route_text

ENVIRON = {"NAME": "value", "EMPTY": "", "LOWER_case1": "x", "DOLLARS": "$NAME ${NAME} $$"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("plain", "plain"),
        ("${NAME}", "value"),
        ("a${NAME}b${NAME}c", "avaluebvaluec"),
        ("${LOWER_case1}", "x"),
        ("${NAME:-other}", "value"),
        ("${NAME:?message}", "value"),
        ("${EMPTY}", ""),
        ("${EMPTY:-other}", "other"),
        ("${UNSET:-other}", "other"),
        ("${UNSET:-}", ""),
        ("${UNSET:-http://localhost:3000}", "http://localhost:3000"),
        ("${UNSET:-a b:-c}", "a b:-c"),
        ("$$", "$"),
        ("$${NAME}", "${NAME}"),
        ("$$NAME", "$NAME"),
        ("$$$NAME".replace("$NAME", "${NAME}"), "$value"),
        ("$", "$"),
        ("5$", "5$"),
        ("$5", "$5"),
        ("$ {NAME}", "$ {NAME}"),
        ("{NAME}", "{NAME}"),
    ],
)
def test_references_are_filled_in(text: str, expected: str) -> None:
    assert expand(text, ENVIRON).text == expected


def test_nothing_is_expanded_twice() -> None:
    assert expand("${DOLLARS}", ENVIRON).text == "$NAME ${NAME} $$"


def test_environment_values_are_secret_and_defaults_are_not() -> None:
    assert expand("a ${NAME} ${EMPTY} ${UNSET:-d}", ENVIRON) == Expansion(
        "a value  d", True, ("value",)
    )


def test_a_bare_dollar_sign_is_not_a_reference() -> None:
    assert not expand("$$", ENVIRON).found


@pytest.mark.parametrize(
    ("text", "code", "part", "said"),
    [
        ("x ${UNSET}", "unset-variable", "${UNSET}", "UNSET is not set"),
        ("${UNSET:?ask Ann}", "unset-variable", "${UNSET:?ask Ann}", "UNSET is not set: ask Ann"),
        ("${EMPTY:?ask Ann}", "unset-variable", "${EMPTY:?ask Ann}", "EMPTY is empty: ask Ann"),
        ("${EMPTY:?}", "unset-variable", "${EMPTY:?}", "EMPTY is empty"),
        ("a $NAME b", "bad-substitution", "$NAME", "without braces"),
        ("${NAME", "bad-substitution", "${NAME", "not a reference"),
        ("${}", "bad-substitution", "${}", "not a reference"),
        ("${1}", "bad-substitution", "${1}", "not a reference"),
        ("${NA ME}", "bad-substitution", "${NA ME}", "not a reference"),
        ("${NAME-x}", "bad-substitution", "${NAME-x}", "not a reference"),
        ("${NAME:x}", "bad-substitution", "${NAME:x}", "not a reference"),
        ("${NAME:+x}", "bad-substitution", "${NAME:+x}", "not a reference"),
        ("${A:-${B}}", "bad-substitution", "${A:-${B}", "not a reference"),
    ],
)
def test_unset_variables_are_refused(text: str, code: str, part: str, said: str) -> None:
    with pytest.raises(BadValueError) as refused:
        expand(text, ENVIRON)
    mistake = refused.value
    assert (mistake.code, mistake.part) == (code, part)
    assert said in mistake.message
    assert mistake.help


@given(st.text(st.sampled_from("${}:-?ABab1 _x"), max_size=40))
def test_every_text_is_expanded_or_refused(text: str) -> None:
    try:
        expanded = expand(text, {"A": "1", "AB": "2", "a": ""}).text
    except BadValueError as mistake:
        part, expanded = mistake.part or "", text
        if part not in text or not mistake.help:
            raise
    if "$" not in text:
        assert expanded == text


@given(st.text(max_size=60))
def test_an_escaped_text_comes_back_as_it_was(text: str) -> None:
    assert expand(text.replace("$", "$$"), {}).text == text


def test_variables_stand_in_every_kind_of_value() -> None:
    environ = {
        "UPSTREAM": "https://api.example.com/v2", "ORIGIN": "http://localhost:5173",
        "YES": "true", "AGE": "10m", "PORT": "8020", "FORMAT": "json", "COUNT": "7",
        "SIZE": "1KiB", "PATH_": "/shop",
    }  # fmt: skip
    policy = policy_of(
        """\
listen: "localhost:${PORT}"
cors:
  allow_origins: ["${ORIGIN}"]
  allow_credentials: ${YES}
  max_age: ${AGE}
limits: {fields: "${COUNT}", body: "${SIZE}"}
log: {format: "${FORMAT}"}
routes:
  - path: ${PATH_}
    upstream: ${UPSTREAM}
    strip_path: "${YES}"
""",
        environ,
    )
    rules = policy.default_cors
    assert policy.listen[0].port == 8020
    assert [pattern.text for pattern in rules.origins] == ["http://localhost:5173"]
    assert (rules.credentials, rules.max_age) == (True, 600)
    assert (policy.limits.fields, policy.limits.body, policy.log.format) == (7, 1024, "json")
    assert policy.routes[0].path == b"/shop"
    assert policy.routes[0].strip_path
    assert str(policy.routes[0].upstream) == "https://api.example.com/v2"


def test_a_value_cannot_become_structure() -> None:
    environ = {"EVIL": "http://localhost:5173]\n  allow_credentials: true"}
    text = 'upstream: http://a\ncors:\n  allow_origins: ["${EVIL}"]\n'
    (problem,) = problems_of(text, environ)
    assert problem.code.startswith("origin-")


def test_a_variable_holds_one_entry() -> None:
    text = "upstream: http://a\ncors:\n  allow_origins: ${TWO}\n"
    (problem,) = problems_of(text, {"TWO": "http://a.test,http://b.test"})
    assert (problem.code, problem.fix) == ("several-entries", None)
    assert "a variable holds one" in problem.help


def test_keys_are_not_expanded() -> None:
    (problem,) = problems_of(f"{MINIMAL}${{NAME}}: 1\n", {"NAME": "listen"})
    assert (problem.code, problem.source[1:]) == ("unknown-key", (4, 1))


def test_a_value_from_a_variable_has_no_fix_and_is_named() -> None:
    text = "upstream: ${API}\ncors: {allow_origins: '${ORIGIN}'}\n"
    environ = {"API": "api.example.com", "ORIGIN": "https://a.test/"}
    upstream, origin = problems_of(text, environ)
    assert (upstream.code, upstream.fix, origin.fix) == ("bad-upstream", None, None)
    assert "https://a.test/" in origin.message
    assert "https://a.test" in origin.help


def test_the_caret_stands_under_the_reference() -> None:
    (problem,) = problems_of(route_text("tls: {server_name: 'a.${UNSET}.b'}"))
    assert (problem.source[1:], problem.length) == ((6, 27), len("${UNSET}"))


def test_header_values_from_the_environment_are_secrets() -> None:
    lines = (
        "request_headers:",
        "  set:",
        "    Authorization: Bearer ${TOKEN}",
        "    X-Plain: plain",
    )
    text = route_text(*lines)
    environ = {"TOKEN": "s3cret"}
    policy = policy_of(text, environ)
    assert policy.secrets == {"s3cret"}
    assert "s3cret" not in repr(policy.secrets.__class__)
    route = route_of(*lines, environ=environ)
    assert route.request_headers.set[0] == (b"Authorization", b"Bearer s3cret")


@pytest.mark.parametrize(
    "line",
    [
        "request_headers: {set: {X-Key: '${SECRET}'}}",
        "upstream: '${SECRET}'",
    ],
)
def test_a_secret_is_in_no_message(line: str) -> None:
    text = route_text(line).replace("    upstream: https://api.example.com\n", "", 1)
    if "upstream" not in line:
        text = route_text(line)
    problems = problems_of(text, {"SECRET": "https://me:hunter2@api\n"})
    assert problems
    assert all("hunter2" not in "".join(map(str, problem)) for problem in problems)
