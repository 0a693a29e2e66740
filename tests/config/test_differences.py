"""What one policy allows that another does not, against the decisions themselves."""

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

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
