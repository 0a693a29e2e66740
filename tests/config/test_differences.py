"""What one policy allows that another does not, against the decisions themselves."""

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corsproxy.config.differences import Difference, differences
from corsproxy.config.reader import read_policy
from corsproxy.core.explain.explanation import explain
from corsproxy.core.origins import OriginSet, parse_origin_pattern
from corsproxy.core.page_call import PageCall
from corsproxy.core.policy import Policy
from corsproxy.core.routing import find_route

PAGE = "http://localhost:5173"


def policy(cors: str, *routes: str) -> Policy:
    listed = routes or ("{path: /, upstream: 'http://a.test'}",)
    text = "\n".join([f"cors: {cors}", "routes:", *(f"  - {route}" for route in listed)])
    return read_policy(text, "corsproxy.yaml", {}, "/", day="2026-11-29").policy


def rows(old: Policy, new: Policy) -> list[str]:
    return [
        f"{'+' if each.change == 'allowed' else '-'} {each.route} {each.kind} {each.value}"
        for each in differences(old, new)
    ]


def test_the_same_policy_has_no_differences() -> None:
    one = policy(f"{{allow_origins: [{PAGE}]}}")
    assert differences(one, policy(f"{{allow_origins: ['{PAGE}']}}")) == ()


def test_covered_entries_make_no_difference() -> None:
    old = policy('{allow_origins: ["https://*.a.test"]}')
    new = policy('{allow_origins: ["https://*.a.test", https://x.a.test, "https://p-*.a.test"]}')
    assert rows(old, new) == rows(new, old) == []


def test_a_wider_list_is_named_by_its_star() -> None:
    old = policy(f"{{allow_origins: [{PAGE}], allow_headers: [x-a]}}")
    new = policy(f'{{allow_origins: [{PAGE}], allow_headers: "*", allow_methods: "*"}}')
    assert rows(old, new) == ["+ / method *", "+ / header *"]
    assert rows(new, old) == ["- / method *", "- / header *"]


def test_lists_that_allow_no_page_make_no_difference() -> None:
    old, new = "{allow_origins: []}", "{allow_origins: [], allow_methods: [PURGE]}"
    assert rows(policy(old), policy(new)) == []


def test_a_new_route_is_compared_with_the_one_that_took_its_path() -> None:
    cors = f"{{allow_origins: [{PAGE}]}}"
    root = "{path: /, upstream: 'http://a.test'}"
    wide = "{path: /x, upstream: 'http://a.test', cors: {allow_credentials: true}}"
    assert rows(policy(cors, root), policy(cors, root, wide)) == ["+ /x credentials true"]
    assert rows(policy(cors, root, wide), policy(cors, root)) == ["- / credentials true"]


def test_other_differences_are_named_by_their_kind() -> None:
    cors = f"{{allow_origins: [{PAGE}]}}"
    more = "request_headers: {set: {X-Key: secret}}, cors: {max_age: 60}"
    old = policy(cors, "{name: a, path: /, upstream: 'http://a.test'}")
    new = policy(cors, f"{{name: a, path: /, upstream: 'http://b.test', {more}}}")
    assert rows(old, new) == [
        "+ a max_age 60",
        "+ a upstream http://b.test",
        "+ a request_headers set X-Key",
        "- a max_age none",
        "- a upstream http://a.test",
    ]
    assert not any(each.is_wider for each in differences(old, new))


def test_each_difference_is_at_its_own_key() -> None:
    def written(age: str, url: str, word: str, value: str) -> Policy:
        text = f"""\
routes:
  - path: /
    upstream: {url}
    request_headers: {{set: {{X-Key: {value}}}}}
    response_headers:
      remove: [X-{value}]
    cors:
      allow_origins: [{PAGE}]
      unlisted_origins: {word}
      max_age: {age}
"""
        return read_policy(text, "corsproxy.yaml", {}, "/").policy

    old = written("60", "http://a.test", "block", "a")
    new = written("90", "http://b.test", "forward", "b")
    assert [(each.kind, each.at.line, each.at.column) for each in differences(old, new)][:5] == [
        ("unlisted_origins", 9, 25),
        ("max_age", 10, 16),
        ("upstream", 3, 15),
        ("request_headers", 4, 22),
        ("response_headers", 6, 7),
    ]


def entries(*listed: str) -> Policy:
    return policy(f"{{allow_origins: [{', '.join(listed)}]}}")


DATED = "{origin: https://x.a.test, until: 2026-12-31}"
LATER = "{origin: https://x.a.test, until: 2027-03-31}"
WIDE = "{origin: 'https://*.a.test', until: 2027-01-31}"


@pytest.mark.parametrize(
    ("old", "new", "wider", "narrower"),
    [
        (DATED, DATED.replace("}", ", reason: demo}"), [], []),
        (DATED, LATER, ["until https://x.a.test: 2027-03-31, was 2026-12-31"], []),
        (DATED, "https://x.a.test", ["until https://x.a.test: none, was 2026-12-31"], []),
        (LATER, DATED, [], ["until https://x.a.test: 2027-03-31, now 2026-12-31"]),
        (DATED, WIDE, ["origin https://*.a.test"], []),
        (WIDE, LATER, ["until https://x.a.test: 2027-03-31, was 2027-01-31"],
         ["origin https://*.a.test"]),
        (f"{WIDE}, {DATED}", WIDE, [], []),
        (WIDE, f"{WIDE}, {LATER}", ["until https://x.a.test: 2027-03-31, was 2027-01-31"], []),
        ("", f"{WIDE}, {LATER}", ["origin https://*.a.test", "origin https://x.a.test"], []),
        ("", f"{WIDE}, {DATED}", ["origin https://*.a.test"], []),
        ("{origin: https://x.a.test, until: 2026-11-28}", LATER, ["origin https://x.a.test"], []),
        ("{origin: 'null', until: 2026-12-31}", "'null'",
         ["until null: none, was 2026-12-31"], []),
        ("{origin: '*', until: 2026-12-31}", "'*'", ["until *: none, was 2026-12-31"], []),
        (f"{DATED}, https://x.a.test", "https://x.a.test", [], []),
        ("{origin: 'http://localhost:*', until: 2026-12-31}", "http://localhost:*",
         ["until http://localhost:*: none, was 2026-12-31"], []),
        ("{origin: 'http://localhost:*', until: 2026-12-31}", "http://localhost:3000",
         ["until http://localhost:3000: none, was 2026-12-31"], ["origin http://localhost:*"]),
        ("{origin: 'https://p-*.a.test', until: 2026-12-31}", "'https://p-*.a.test'",
         ["until https://p-*.a.test: none, was 2026-12-31"], []),
    ],
)  # fmt: skip
def test_a_later_last_day_is_wider(
    old: str, new: str, wider: list[str], narrower: list[str]
) -> None:
    found = differences(entries(old), entries(new))
    assert [f"{each.kind} {each.value}" for each in found if each.is_wider] == wider
    assert [f"{each.kind} {each.value}" for each in found if not each.is_wider] == narrower


def test_passthrough_and_forwarding_are_wider() -> None:
    cors = f"{{allow_origins: [{PAGE}]}}"
    old = policy(cors, "{path: /, upstream: 'http://a.test'}")
    for more, row in (
        ("cors: passthrough", "+ / cors passthrough"),
        ("cors: {unlisted_origins: forward}", "+ / unlisted_origins forward"),
    ):
        new = policy(cors, f"{{path: /, upstream: 'http://a.test', {more}}}")
        assert rows(old, new) == [row]
        assert differences(old, new)[0].is_wider
        assert not differences(new, old)[0].is_wider


# Against the decisions.

ENTRIES = (
    "http://localhost:*",
    PAGE,
    "https://*.a.test",
    "https://x.a.test",
    "https://p-*.a.test",
    "https://p-7.a.test",
    "https://*.x.a.test:*",
    "chrome-extension://abc",
)
PAGES = (
    PAGE,
    "http://localhost:3000",
    "https://x.a.test",
    "https://p-7.a.test",
    "https://p-8.a.test",
    "https://y.x.a.test",
    "https://y.x.a.test:444",
    "https://evil.test",
    "chrome-extension://abc",
)
METHODS = ("GET", "PUT", "PATCH", "DELETE", "PURGE")
HEADERS = ((), ("x-a",), ("x-b",), ("content-type",), ("authorization",))
PATHS = ("/", "/a", "/a/b")


class Rules(NamedTuple):
    origins: tuple[str, ...]
    methods: tuple[str, ...] | None
    headers: tuple[str, ...] | None
    credentials: bool

    def text(self) -> str:
        keys = [f"allow_origins: [{', '.join(map(repr, self.origins))}]"]
        if self.methods is not None:
            keys.append(f"allow_methods: [{', '.join(map(repr, self.methods))}]")
        if self.headers is not None:
            keys.append(f"allow_headers: [{', '.join(map(repr, self.headers))}]")
        if "*" not in self.origins:
            keys.append(f"allow_credentials: {str(self.credentials).lower()}")
        return f"{{{', '.join(keys)}}}"


def some(values: tuple[str, ...]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(values), unique=True, max_size=3).map(tuple)


RULES = st.builds(
    Rules,
    st.one_of(some(ENTRIES), st.just(("*",))),
    st.one_of(st.none(), some(("PUT", "PURGE")), st.just(("*",))),
    st.one_of(st.none(), some(("x-a", "x-b")), st.just(("*",))),
    st.booleans(),
)
POLICIES = st.dictionaries(st.sampled_from(PATHS), RULES, min_size=1, max_size=3).map(
    lambda routes: policy(
        "{allow_origins: []}",
        *(
            f"{{path: {path}, upstream: 'http://a.test', cors: {rules.text()}}}"
            for path, rules in routes.items()
        ),
    )
)


def calls() -> Iterator[PageCall]:
    for path, page, method, headers, credentials in product(
        PATHS, PAGES, METHODS, HEADERS, (False, True)
    ):
        yield PageCall(page, path, method, headers, credentials)


def accounts_for(row: Difference, call: PageCall, old: Policy, new: Policy) -> bool:
    """Whether `row` says why the decision about `call` changed."""
    path = call.target.encode()
    route = find_route(new, path) or find_route(old, path)
    if route is None or row.route != route.name:
        return False
    match row.kind:
        case "origin":
            pattern = OriginSet([parse_origin_pattern(row.value)])
            return pattern.match(call.origin.encode()) is not None
        case "method":
            return row.value in ("*", call.method)
        case "header":
            return row.value == "*" or row.value in call.headers
        case "credentials":
            return call.credentials
        case _:
            return False


@settings(max_examples=8, deadline=None)
@given(POLICIES, POLICIES)
def test_it_agrees_with_the_decisions(old: Policy, new: Policy) -> None:
    found = differences(old, new)
    seen: set[Difference] = set()
    for call in calls():
        before, after = explain(old, call).allowed, explain(new, call).allowed
        if before == after:
            continue
        change = "allowed" if after else "no-longer-allowed"
        because = {
            row for row in found if row.change == change and accounts_for(row, call, old, new)
        }
        assert because, (call, change, found)
        seen |= because
    assert set(found) == seen


# On later days.

DAYS = ("2026-11-29", "2026-12-10", "2026-12-20", "2026-12-30")


def dated(listed: list[tuple[str, str | None]], day: str) -> Policy:
    lines = [
        f"{{origin: '{text}', until: {until}}}" if until else f"'{text}'" for text, until in listed
    ]
    text = f"upstream: http://a.test\ncors: {{allow_origins: [{', '.join(lines)}]}}"
    return read_policy(text, "corsproxy.yaml", {}, "/", day=day).policy


DATED_ENTRIES = st.lists(
    st.tuples(st.sampled_from(ENTRIES), st.sampled_from((None, *DAYS[:3]))), max_size=3
)


@settings(max_examples=60, deadline=None)
@given(DATED_ENTRIES, DATED_ENTRIES)
def test_each_day_that_an_entry_lasts_longer_is_accounted_for(
    old: list[tuple[str, str | None]], new: list[tuple[str, str | None]]
) -> None:
    found = differences(dated(old, DAYS[0]), dated(new, DAYS[0]))
    seen: set[Difference] = set()
    for day, page in product(DAYS, PAGES):
        before, after = (
            rules.default_cors.origins.match(page.encode())
            for rules in (dated(old, day), dated(new, day))
        )
        if bool(before) == bool(after):
            continue
        change = "allowed" if after else "no-longer-allowed"
        because = {row for row in found if row.change == change and names(row, page, day)}
        assert because, (day, page, found)
        seen |= because
    assert seen == set(found)


def names(row: Difference, page: str, day: str) -> bool:
    """Whether a row says that the page is allowed on that day on one side only."""
    text, _, days = row.value.partition(": ")
    last, _, other = days.replace("none", "~").partition(", ")
    pattern = OriginSet([parse_origin_pattern(text)]).match(page.encode())
    return pattern is not None and (not days or other[4:] < day <= last)
