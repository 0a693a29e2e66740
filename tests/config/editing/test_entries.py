"""A value from the command line, checked like one in the file."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from corsproxy.config.editing.entries import read_entry
from corsproxy.config.problems import ConfigError, render
from corsproxy.config.reader import read_policy
from corsproxy.core.advice.remedies import RemedyKey, remedy_for
from corsproxy.core.fields import FORBIDDEN_REQUEST_HEADERS
from corsproxy.core.methods import KNOWN_METHODS
from corsproxy.core.policy import CorsRules, Policy
from corsproxy.core.source import Source
from corsproxy.core.verdicts import Code, Kind, Verdict
from tests.core.origins.strategies import near_origins
from tests.policies import policy as some_policy

KEYS: tuple[RemedyKey, ...] = (
    "allow_origins", "allow_methods", "allow_headers", "allow_credentials", "allowed_hosts",
)  # fmt: skip


def policy(text: str) -> Policy:
    return read_policy(f"upstream: https://a.test\n{text}", "c.yaml", {}, "/etc").policy


def rules(text: str) -> CorsRules:
    return policy(f"cors: {{allow_origins: [https://b.test], {text}}}\n").default_cors


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("allow_origins", "https://*.a.test", "https://*.a.test"),
        ("allow_methods", "put", "PUT"),
        ("allow_headers", "X-Name", "X-Name"),
        ("allowed_hosts", "A.test", "A.test"),
    ],
)
def test_values_are_written_in_canonical_form(key: RemedyKey, value: str, text: str) -> None:
    assert read_entry(key, value).text == text


names = st.text("aAzZ019-_.*!#$%&'+^`|~ :[]/é", min_size=1, max_size=70)
hosts = st.text("az09-_.*[]", min_size=1, max_size=300)


@given(
    code=st.sampled_from(
        [
            Code.ORIGIN_NOT_ALLOWED,
            Code.METHOD_NOT_ALLOWED,
            Code.HEADER_NOT_ALLOWED,
            Code.HOST_NOT_ALLOWED,
        ]
    ),
    subject=names
    | hosts
    | near_origins().map(lambda value: value.decode("utf-8", "replace"))
    | st.sampled_from(sorted(KNOWN_METHODS))
    | st.sampled_from([name.decode() for name in FORBIDDEN_REQUEST_HEADERS])
    | st.sampled_from(["sec-x", "proxy-x", "access-control-x", "0.0.0.0", "[::]", "*", "null"]),
)
@example(code=Code.HOST_NOT_ALLOWED, subject="a..test")
@example(code=Code.HEADER_NOT_ALLOWED, subject="x*")
def test_a_proposed_value_is_accepted(code: Code, subject: str) -> None:
    verdict = Verdict(Kind.ACTUAL, code, False, "default", Source("c.yaml", 1, 1), subject)
    remedy = remedy_for(verdict, some_policy())
    if remedy is not None:
        assert read_entry(remedy.key, remedy.value).text == remedy.value


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        ("allow_origins", "https://a.test/", "origin-trailing-slash"),
        ("allow_origins", "", "origin-empty"),
        ("allow_origins", "https://a.test, https://b.test", "several-entries"),
        ("allow_origins", "https://*", "origin-too-wide"),
        ("allow_methods", "GET POST", "several-entries"),
        ("allow_methods", "TRACE", "forbidden-method"),
        ("allow_methods", "purge", "method-case"),
        ("allow_methods", "FROBNICATE", "method-unknown"),
        ("allow_headers", "Cookie", "forbidden-header"),
        ("allow_headers", "a:b", "bad-header-name"),
        ("allow_credentials", "maybe", "wrong-type"),
        ("allowed_hosts", "https://a.test", "bad-allowed-host"),
        ("allowed_hosts", "0.0.0.0", "bad-allowed-host"),
    ],
)
def test_a_bad_value_gives_the_readers_problem(key: RemedyKey, value: str, code: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read_entry(key, value)
    [problem] = refused.value.problems
    assert (problem.code, str(problem.source), problem.line_text) == (code, "VALUE", value)


def test_a_problem_shows_the_value_and_the_fix() -> None:
    with pytest.raises(ConfigError) as refused:
        read_entry("allow_origins", "https://a.test/")
    lines = render(refused.value.problems[0]).splitlines()
    assert "--> VALUE" in lines
    assert " | https://a.test/" in lines
    assert " + https://a.test" in lines


@given(st.sampled_from(KEYS), st.text())
def test_any_text_is_an_entry_or_a_problem(key: RemedyKey, value: str) -> None:
    try:
        entry = read_entry(key, value)
    except ConfigError:
        return
    assert entry.text


def test_dollar_signs_are_escaped() -> None:
    assert read_entry("allow_headers", "$x").rules.request_headers.names == ("$x",)
    with pytest.raises(ConfigError):
        read_entry("allow_origins", "${HOME}")


def test_an_entry_is_added_at_the_end_of_its_list() -> None:
    added = read_entry("allow_origins", "https://c.test").added_to(rules(""))
    assert [str(pattern) for pattern in added.origins] == ["https://b.test", "https://c.test"]
    added = read_entry("allow_methods", "QUERY").added_to(rules("allow_methods: [PUT]"))
    assert added.methods.names == ("PUT", "QUERY")
    added = read_entry("allow_headers", "*").added_to(rules("allow_headers: [a]"))
    assert (added.request_headers.names, added.request_headers.any) == (("a",), True)
    assert read_entry("allow_credentials", "true").added_to(rules("")).credentials


@pytest.mark.parametrize(
    ("key", "value"), [("allow_origins", "*"), ("allow_methods", "*"), ("allow_headers", "*")]
)
def test_an_asterisk_can_stand_alone(key: RemedyKey, value: str) -> None:
    entry = read_entry(key, value)
    assert entry.any
    assert entry.allowed_by(entry.alone_in(rules("")), written=True) is not None


def test_a_host_is_added_to_the_policy() -> None:
    before = policy("allowed_hosts: [one.test]\n")
    after = read_entry("allowed_hosts", "two.test").added_to_hosts(before)
    assert after.allowed_hosts == {"one.test", "two.test"}
    assert read_entry("allowed_hosts", "*").added_to_hosts(before).any_host


@pytest.mark.parametrize(
    ("key", "value", "text", "by"),
    [
        ("allow_origins", "https://b.test", "", "c.yaml:2:24"),
        ("allow_origins", "https://c.test", "", None),
        ("allow_origins", "https://*.b.test", "", None),
        ("allow_methods", "DELETE", "", "by default"),
        ("allow_methods", "POST", "allow_methods: []", "always"),
        ("allow_methods", "DELETE", "allow_methods: [PUT]", None),
        ("allow_methods", "delete", 'allow_methods: "*"', 'by "*", c.yaml:2:56'),
        ("allow_headers", "RANGE", "", "always"),
        ("allow_headers", "x-a", "allow_headers: [X-A]", "c.yaml:2:56"),
        ("allow_credentials", "true", "allow_credentials: true", "c.yaml:2:60"),
        ("allow_credentials", "true", "", None),
    ],
)
def test_an_already_allowed_value_is_recognized(
    key: RemedyKey, value: str, text: str, by: str | None
) -> None:
    assert read_entry(key, value).allowed_by(rules(text), written=text != "") == by


@pytest.mark.parametrize(
    ("value", "text", "by"),
    [
        ("a.test", "allowed_hosts: [a.test]", "c.yaml:2:16"),
        ("A.test", "allowed_hosts: a.test", "c.yaml:2:16"),
        ("b.test", "allowed_hosts: a.test", None),
        ("b.test", 'allowed_hosts: "*"', 'by "*", c.yaml:2:16'),
        ("*", "allowed_hosts: a.test", None),
        ("127.0.0.1", "", "always"),
    ],
)
def test_an_already_allowed_host_is_recognized(value: str, text: str, by: str | None) -> None:
    assert read_entry("allowed_hosts", value).host_allowed_by(policy(f"{text}\n")) == by


@pytest.mark.parametrize(
    ("key", "value"), [("allow_methods", "GET,PUT"), ("allow_headers", "X-A, X-B")]
)
def test_several_values_are_to_be_given_one_at_a_time(key: RemedyKey, value: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read_entry(key, value)
    [problem] = refused.value.problems
    assert (problem.help, problem.fix) == ("give them one at a time", None)
