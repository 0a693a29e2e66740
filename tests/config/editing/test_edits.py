"""Adding an entry to a file: the changed bytes, and the new meaning."""

import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.config.changes import changes
from corsproxy.config.editing.edits import Edit, File, allow
from corsproxy.config.editing.layout import Layout
from corsproxy.config.editing.splices import EditError, insertion
from corsproxy.config.problems import ConfigError
from corsproxy.core.advice.remedies import RemedyKey
from corsproxy.core.policy import CorsRules
from tests.config.layouts import GRID, Written, layouts

NEW = "https://new.example.com"
ORIGINS = ["http://localhost:5173", "https://*.example.org"]


def file(text: str | bytes, environ: Mapping[str, str] | None = None) -> File:
    content = text.encode() if isinstance(text, str) else text
    return File(content, "corsproxy.yaml", environ or {}, "/etc")


def edited(
    text: str | bytes,
    value: str = NEW,
    key: RemedyKey = "allow_origins",
    route: str | None = None,
) -> str:
    """The new text of the file."""
    edit = allow(file(text), key, value, route)
    assert_kept(edit)
    return edit.after.decode()


def inserted(before: bytes, after: bytes) -> list[bytes]:
    """The one or two pieces that are new in `after`; fails where anything is gone.

    Removing them from `after` gives `before`.
    """
    start = 0
    while start < len(before) and before[start] == after[start]:
        start += 1
    end = 0
    while end < len(before) - start and before[-end - 1] == after[-end - 1]:
        end += 1
    middle, new = before[start : len(before) - end], after[start : len(after) - end]
    place = new.find(middle)
    assert place >= 0
    pieces = [new[:place], new[place + len(middle) :]]
    assert after == before[:start] + pieces[0] + middle + pieces[1] + before[len(before) - end :]
    return [piece for piece in pieces if piece]


def assert_kept(edit: Edit) -> None:
    """Nothing of the old file is gone."""
    assert inserted(edit.before, edit.after)


def assert_adds_origin(content: bytes, value: str) -> None:
    edit = allow(file(content), "allow_origins", value)
    new = b"".join(inserted(edit.before, edit.after)).decode()
    assert new.count(value) == 1
    assert set(new.replace(value, "")) <= set("\r\n -,[]\"'")
    before, after = file(content).reading.policy, file(edit.after).reading.policy
    assert isinstance(after.default_cors, CorsRules)
    texts = [str(pattern) for pattern in before.default_cors.origins]
    assert [str(pattern) for pattern in after.default_cors.origins] == [*texts, value]
    assert [str(change) for change in changes(before, after)] == [f"+ origin {value} on route /"]
    assert edit.summary == f"+ origin {value} on route /"


# Many layouts


def test_there_are_many_layouts() -> None:
    assert len(GRID) >= 100


@pytest.mark.parametrize("layout", GRID, ids=lambda layout: layout.style)
def test_only_one_entry_is_added(layout: Written) -> None:
    origins = ORIGINS[:1] if layout.style == "one" else ORIGINS
    assert_adds_origin(layout.file(origins), NEW)


@given(
    layouts,
    st.lists(st.sampled_from([*ORIGINS, "http://127.0.0.1:*"]), min_size=1, unique=True),
    st.sampled_from([NEW, "https://*.new.example.com", "http://new.test:8080", "app://new"]),
)
def test_one_entry_is_added_in_any_layout(layout: Written, origins: list[str], value: str) -> None:
    assert_adds_origin(layout.file(origins), value)


@given(layouts)
def test_entries_follow_each_other(layout: Written) -> None:
    """The second is added to what the first made, as if somebody had written it."""
    once = allow(file(layout.file(ORIGINS)), "allow_origins", NEW).after
    assert_adds_origin(once, "https://second.example.com")


def test_line_breaks_are_those_of_the_file() -> None:
    text = "upstream: https://a.test\r\ncors:\r\n  allow_origins:\r\n    - https://b.test\r\n"
    assert edited(text) == f"{text}    - {NEW}\r\n"


@given(layouts.filter(lambda layout: layout.newline == "\r\n"))
def test_crlf_line_breaks_are_kept(layout: Written) -> None:
    after = allow(file(layout.file(ORIGINS)), "allow_origins", NEW).after
    assert after.count(b"\n") == after.count(b"\r\n")


# Where it goes

HEAD = "upstream: https://a.test\n"


class Shape(NamedTuple):
    """A file, and what it becomes."""

    before: str
    after: str


def read_shapes() -> dict[str, Shape]:
    """Return what stands in edited.txt: `=== name`, a file, `---`, the file afterwards.

    A backslash alone in the last line: there is no line break before it.
    """
    text = (Path(__file__).parent / "edited.txt").read_text(encoding="utf-8")
    shapes = {}
    for block in re.split(r"(?m)^=== ", text)[1:]:
        name, _, rest = block.partition("\n")
        before, after = rest.split("---\n")
        shapes[name] = Shape(*(each.removesuffix("\n\\\n") for each in (before, after)))
    return shapes


SHAPES = read_shapes()


@pytest.mark.parametrize("shape", SHAPES)
def test_the_entry_is_added_to(shape: str) -> None:
    assert edited(SHAPES[shape].before) == SHAPES[shape].after


CORS = f"{HEAD}cors:\n  allow_origins: [https://b.test]\n"
WITH_CREDENTIALS = f"{CORS}  allow_credentials: true\n"
METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("allow_origins", "null", '  allow_origins: [https://b.test, "null"]'),
        ("allow_origins", "http://[::1]:1", '  allow_origins: [https://b.test, "http://[::1]:1"]'),
        ("allow_origins", "http://a.test:*", "  allow_origins: [https://b.test, http://a.test:*]"),
        ("allow_methods", "*", '  allow_methods: ["*"]'),
        ("allow_methods", "QUERY", f"  allow_methods: [{METHODS}, QUERY]"),
        ("allow_methods", "options", f"  allow_methods: [{METHODS}, OPTIONS]"),
        ("allow_headers", "X-Name", "  allow_headers: [content-type, authorization, X-Name]"),
        ("allow_headers", "NO", '  allow_headers: [content-type, authorization, "NO"]'),
        ("allow_headers", "1", '  allow_headers: [content-type, authorization, "1"]'),
        ("allow_headers", "$x", '  allow_headers: [content-type, authorization, "$$x"]'),
        ("allow_headers", "*", '  allow_headers: ["*"]'),
        ("allow_credentials", "true", "  allow_credentials: true"),
        ("allowed_hosts", "proxy.test", "allowed_hosts: [proxy.test]"),
        ("allowed_hosts", "*", 'allowed_hosts: ["*"]'),
    ],
)
def test_a_value_is_quoted_where_it_must_be(key: RemedyKey, value: str, line: str) -> None:
    assert line in edited(CORS, value, key).splitlines()


def test_credentials_false_becomes_true() -> None:
    text = f"{CORS}  allow_credentials: false # no\n"
    after = allow(file(text), "allow_credentials", "true").after.decode()
    assert after == f"{CORS}  allow_credentials: true # no\n"


def test_a_host_is_added_to_the_list() -> None:
    text = f"{CORS}allowed_hosts: one.test\n"
    assert edited(text, "two.test", "allowed_hosts").endswith("[one.test, two.test]\n")


def test_a_variable_stays_one() -> None:
    text = f"{HEAD}cors:\n  allow_origins: ${{APP}}\n"
    edit = allow(file(text, {"APP": "https://b.test"}), "allow_origins", NEW)
    assert edit.after.decode() == f'{HEAD}cors:\n  allow_origins: ["${{APP}}", {NEW}]\n'


def test_a_long_list_has_a_line_for_each_entry() -> None:
    many = [f"https://app-{number}.example.com" for number in range(9)]
    text = f"""\
cors:
   allow_origins: [{", ".join(many)}]
routes:
- path: /
  upstream: https://a.test
  timeout:
     idle: none
"""
    lines = "".join(f"        - {origin}\n" for origin in [*many, NEW])
    new = f"  upstream: https://a.test\n  cors:\n     allow_origins:\n{lines}"
    assert edited(text, route="/") == text.replace("  upstream: https://a.test\n", new)


def test_a_new_key_follows_the_comments_of_what_is_above_it() -> None:
    text = f"{HEAD}cors:\n  allow_origins:\n    - https://b.test\n    #- https://c.test\n\n# end\n"
    after = edited(text, "true", "allow_credentials")
    assert after == text.replace("c.test\n", "c.test\n  allow_credentials: true\n")


# Which list it is

ROUTES = """\
cors:
  allow_origins: [https://b.test]
routes:
  - path: /shared
    name: shared
    upstream: https://a.test
  - path: /own
    name: own
    upstream: https://a.test
    cors: {allow_origins: [https://c.test]}
  - path: /raw
    upstream: https://a.test
    cors: passthrough
"""


def origins_of(text: str, route: str) -> list[str]:
    policy = file(text).reading.policy
    [found] = [each for each in policy.routes if each.name == route]
    assert isinstance(found.cors, CorsRules)
    return [str(pattern) for pattern in found.cors.origins]


def test_without_a_route_it_is_the_default() -> None:
    edit = allow(file(ROUTES), "allow_origins", NEW)
    after = edit.after.decode()
    assert after == ROUTES.replace("[https://b.test]", f"[https://b.test, {NEW}]")
    assert edit.untouched == ("own",)
    assert origins_of(after, "own") == ["https://c.test"]


def test_with_a_route_it_is_the_list_of_that_route() -> None:
    for name in ("own", "/own"):
        assert edited(ROUTES, route=name) == ROUTES.replace(
            "[https://c.test]", f"[https://c.test, {NEW}]"
        )


def test_a_route_without_a_list_gets_one_with_the_inherited_entries() -> None:
    after = edited(ROUTES, route="shared")
    assert origins_of(after, "shared") == ["https://b.test", NEW]
    assert after == ROUTES.replace(
        "  - path: /own",
        f"    cors:\n      allow_origins: [https://b.test, {NEW}]\n  - path: /own",
    )


def test_a_route_with_other_rules_gets_the_list_among_them() -> None:
    after = edited(ROUTES, "QUERY", "allow_methods", "own")
    methods = "allow_methods: [GET, HEAD, POST, PUT, PATCH, DELETE, QUERY]"
    assert f"{{allow_origins: [https://c.test], {methods}}}" in after


def test_the_only_route_needs_no_name() -> None:
    text = "routes:\n- path: /\n  upstream: https://a.test\n  cors: {allow_origins: []}\n"
    assert edited(text).endswith(f"  cors: {{allow_origins: [{NEW}]}}\n")


def test_routes_inheriting_a_list_get_the_entry_too() -> None:
    after = edited(ROUTES.replace("{allow_origins: [https://c.test]}", "{max_age: 5}"))
    assert origins_of(after, "shared") == origins_of(after, "own") == ["https://b.test", NEW]


# What is allowed already


@pytest.mark.parametrize(
    ("key", "value", "by"),
    [
        ("allow_origins", "https://b.test", "corsproxy.yaml:3:19"),
        ("allow_origins", "https://a.c.test", "by https://*.c.test, corsproxy.yaml:3:35"),
        ("allow_origins", "https://*.a.c.test", "by `https://*.c.test` on line 3"),
        ("allow_methods", "GET", "by default"),
        ("allow_methods", "put", "by default"),
        ("allow_headers", "Content-Type", "by default"),
        ("allow_headers", "Accept", "always"),
        ("allowed_hosts", "api.localhost", "always"),
        ("allowed_hosts", "[::1]", "always"),
    ],
)
def test_an_already_allowed_value_changes_nothing(key: RemedyKey, value: str, by: str) -> None:
    text = f"{HEAD}cors:\n  allow_origins: [https://b.test, https://*.c.test]\n"
    edit = allow(file(text), key, value)
    assert not edit.changed
    assert edit.after == text.encode()
    assert edit.summary.endswith(f": allowed already ({by})")


@pytest.mark.parametrize(
    ("key", "value"),
    [("allow_origins", NEW), ("allow_methods", "QUERY"), ("allow_headers", "X-Name")],
)
def test_an_asterisk_allows_everything_already(key: RemedyKey, value: str) -> None:
    text = f'{HEAD}cors:\n  allow_origins: "*"\n  allow_methods: ["*"]\n  allow_headers: "*"\n'
    edit = allow(file(text), key, value)
    assert (edit.changed, 'allowed already (by "*", ' in edit.summary) == (False, True)


@pytest.mark.parametrize(
    ("key", "value"), [("allow_credentials", "true"), ("allowed_hosts", "proxy.test")]
)
def test_a_list_open_to_all_stays_open(key: RemedyKey, value: str) -> None:
    text = f"{CORS}  allow_credentials: true\nallowed_hosts: '*'\n"
    assert not allow(file(text), key, value).changed


# What is refused


def refusal(
    text: str, key: RemedyKey = "allow_origins", value: str = NEW, route: str | None = None
) -> str:
    with pytest.raises(EditError) as refused:
        allow(file(text), key, value, route)
    return f"{refused.value.reason}: {refused.value.help}"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            f"x-o: &o [https://b.test]\n{HEAD}cors: {{allow_origins: *o}}\n",
            "anchor `&o` (corsproxy.yaml:1:9)",
        ),
        (f"x-c: &c {{allow_origins: []}}\n{HEAD}cors: *c\n", "anchor `&c`"),
        (
            f"x-c: &c {{allow_origins: []}}\n{HEAD}cors: {{<<: *c}}\n",
            "through `<<` from corsproxy.yaml:1:10",
        ),
        (
            "cors: &c {allow_origins: []}\nroutes: [{path: /, upstream: http://a, cors: *c}]\n",
            "anchor `&c`",
        ),
        (f"x-b: &b https://b.test\n{HEAD}cors:\n  allow_origins: [*b]\n", "an alias stands among"),
        (f"{HEAD}cors:\n  allow_origins: |-\n    https://b.test\n", "a block of text"),
        (f"{HEAD}cors: passthrough\n", "answers CORS itself"),
        (
            ROUTES.replace("    name: shared\n", "    cors: {allow_origins: []}\n"),
            "each route has a list of its own: /shared, own",
        ),
    ],
)
def test_uneditable_lists_are_refused(text: str, why: str) -> None:
    assert why in refusal(text)


@pytest.mark.parametrize(
    ("route", "why"),
    [
        ("raw", "no route is named `raw`: did you mean /raw?"),
        ("nothing", "the routes are shared, own, /raw"),
        ("/raw", "route /raw answers CORS itself"),
    ],
)
def test_a_route_that_has_no_list_is_refused(route: str, why: str) -> None:
    assert why in refusal(ROUTES, route=route)


def test_the_short_form_shares_its_list() -> None:
    text = f"{CORS}routes: [{{path: /a, name: a, upstream: http://a.test}}]\n"
    assert "`upstream` has no `cors` of its own: a share it" in refusal(text, route="/")
    assert NEW in edited(CORS, route="/")


def test_credentials_from_the_environment_are_not_overwritten() -> None:
    text = f"{CORS}  allow_credentials: ${{COOKIES:-false}}\n"
    assert "from the environment" in refusal(text, "allow_credentials", "true")


@pytest.mark.parametrize(
    ("text", "key", "value", "code"),
    [
        (CORS, "allow_origins", "*", "wildcard-not-alone"),
        (WITH_CREDENTIALS, "allow_origins", "null", "null-with-credentials"),
        (WITH_CREDENTIALS, "allow_origins", "https://*.com", "public-suffix-with-credentials"),
        (
            CORS.replace("https://b.test", '"*"'),
            "allow_credentials",
            "true",
            "wildcard-with-credentials",
        ),
    ],
)
def test_a_contradiction_is_refused(text: str, key: RemedyKey, value: str, code: str) -> None:
    with pytest.raises(EditError) as refused:
        allow(file(text), key, value)
    assert code in [problem.code for problem in refused.value.problems]


def test_a_file_with_problems_is_not_edited() -> None:
    with pytest.raises(ConfigError) as refused:
        allow(file(f"{CORS}  alow_methods: [GET]\n"), "allow_origins", NEW)
    assert [problem.code for problem in refused.value.problems] == ["unknown-key"]


def test_a_file_that_would_grow_too_large_is_refused() -> None:
    text = CORS + "#" * (1024 * 1024 - len(CORS))
    assert "the file would be refused" in refusal(text)


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "# only a comment\n",
        "allowed_hosts: [a.test]\n",
        "  max_age: 5\n",
        "  allow_credentials: true\n",
    ],
)
def test_an_edit_with_another_meaning_is_refused(
    monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    """The last check catches what the layout gets wrong, whatever that is."""
    monkeypatch.setattr(Layout, "add_item", lambda *_: [insertion(len(CORS), wrong)])
    assert "without changing more than is asked for" in refusal(CORS)


def test_only_new_warnings_are_reported() -> None:
    text = f"{HEAD}allowed_hosts: '*'\n{CORS.removeprefix(HEAD)}  allow_credentials: true\n"
    edit = allow(file(text), "allow_origins", "http://plain.example.com")
    assert [problem.code for problem in edit.warnings] == ["insecure-with-credentials"]


TEXTS = st.text(
    st.sampled_from("abcXYZ019.*-_/:[]{},#&!|>'\"%@`$ \t\n\r\\éﬀ\u202e\x00\x7f"), max_size=30
)


@given(
    TEXTS,
    st.sampled_from(
        ["allow_origins", "allow_methods", "allow_headers", "allowed_hosts"],
    ),
    st.sampled_from([CORS, ROUTES, *(shape.before for shape in SHAPES.values())]),
)
def test_no_value_can_inject_yaml(value: str, key: RemedyKey, text: str) -> None:
    """Whatever somebody gives: one more entry, or a refusal."""
    try:
        edit = allow(file(text), key, value)
    except (ConfigError, EditError):
        return
    if edit.changed:
        assert_kept(edit)
        found = changes(file(text).reading.policy, file(edit.after).reading.policy)
        assert [change.sign for change in found if change.sign != "-"] == ["+"]


DATED = """\
cors:
  allow_origins:
    - {origin: https://a.example, until: 2027-01-31, reason: demo}
routes:
  - {path: /a, upstream: "http://a.test", cors: {allow_credentials: true}}
  - {path: /b, upstream: "http://b.test"}
"""


def dated(day: str) -> File:
    return File(DATED.encode(), "corsproxy.yaml", {}, "/etc", day)


def test_an_expired_entry_is_not_listed_a_second_time() -> None:
    with pytest.raises(EditError, match="expired after 2027-01-31"):
        allow(dated("2027-02-01"), "allow_origins", "https://a.example")


def test_an_expired_entry_that_another_one_covers_is_allowed_already() -> None:
    text = DATED.replace("a.example", "ab.shop.example")
    text = text.replace("routes:", '    - "https://a*.shop.example"\nroutes:')
    file = File(text.encode(), "corsproxy.yaml", {}, "/etc", "2027-02-01")
    edit = allow(file, "allow_origins", "https://ab.shop.example")
    assert edit.file.content == file.content
    assert "allowed already (by https://a*.shop.example, corsproxy.yaml:4:" in edit.summary


@pytest.mark.parametrize("day", ["2027-01-01", "2027-02-01"])
def test_the_entries_that_a_route_takes_over_keep_their_last_day(day: str) -> None:
    after = allow(dated(day), "allow_origins", NEW, "/a").after.decode()
    assert (
        'allow_origins: [{origin: https://a.example, until: "2027-01-31", reason: demo}, ' in after
    )


def calls(run: Callable[[], object]) -> int:
    """Return how many calls a run makes: unlike its time, they do not depend on the machine."""
    number = 0

    def note(_frame: object, event: str, _argument: object) -> None:
        nonlocal number
        number += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        run()
    finally:
        sys.setprofile(before)
    return number


@pytest.mark.parametrize(
    ("entry", "to_read", "to_edit"),
    [
        ("https://app-{}.example.com", 36, 74),
        ("{{origin: https://app-{}.example.com, until: 2027-01-31}}", 135, 275),
    ],
)
def test_a_long_list_takes_few_calls_for_each_entry(entry: str, to_read: int, to_edit: int) -> None:
    """Commands answer in less than 0.3 s for 10,000 entries."""

    def listing(length: int) -> File:
        lines = "".join(f"    - {entry.format(number)}\n" for number in range(length))
        text = f"upstream: https://api.example.com\ncors:\n  allow_origins:\n{lines}"
        return File(text.encode(), "corsproxy.yaml", {}, "/etc", "2026-11-30")

    for read, most in (
        (lambda file: file.reading, to_read),
        (lambda file: allow(file, "allow_origins", NEW), to_edit),
    ):
        read(listing(20))
        short, long = (calls(lambda: read(listing(length))) for length in (200, 600))  # noqa: B023
        assert (long - short) / 400 < most
