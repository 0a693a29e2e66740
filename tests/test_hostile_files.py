"""Any file becomes a policy or a list of problems, and quickly.

Never a traceback, never a hang, and never an incomplete policy.
"""

import re
import time
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from corsproxy.config.keys import KEYS
from corsproxy.config.problems import (
    ConfigError,
    Problem,
    as_github,
    as_json,
    fixed_line,
    render,
)
from corsproxy.config.reader import read_policy
from corsproxy.core.decision import decide
from corsproxy.core.messages import RequestHead
from corsproxy.core.policy import CorsRules, Policy
from corsproxy.core.verdicts import Code
from tests.config.broken_files import BROKEN

EXAMPLE = (Path(__file__).parent.parent / "config.example.yaml").read_text(encoding="utf-8")
ENVIRON = {"NAME": "value", "EMPTY": "", "URL": "https://api.example.com"}


def read(text: str | bytes) -> tuple[Policy | None, tuple[Problem, ...]]:
    try:
        reading = read_policy(text, "corsproxy.yaml", ENVIRON, "/etc/corsproxy")
        return reading.policy, reading.warnings
    except ConfigError as error:
        return None, error.problems


def outcome(text: str | bytes) -> Policy | tuple[str, ...]:
    """Return the policy, or the codes of the problems; everything about both must hold."""
    policy, problems = read(text)
    lines = re.split(r"\r\n|\n|\r", text) if isinstance(text, str) else None
    for problem in problems:
        assert re.fullmatch(r"[a-z0-9-]+", problem.code)
        assert problem.source.line >= 1
        assert problem.source.column >= 1
        assert problem.message
        assert as_json(problem)
        assert as_github(problem).isprintable()
        assert all(line.isprintable() for line in render(problem).split("\n"))
        if lines is not None and problem.line_text:
            assert problem.line_text == lines[problem.source.line - 1].removeprefix("\ufeff")
    assert [each.source[1:] for each in problems] == sorted(each.source[1:] for each in problems)
    if policy is None:
        assert any(problem.severity == "error" for problem in problems)
        return tuple(problem.code for problem in problems)
    assert all(problem.severity == "warning" for problem in problems)
    return whole(policy)


def whole(policy: Policy) -> Policy:
    """Check that a policy can be used, and fails closed."""
    assert policy.routes
    assert policy.listen
    for route in policy.routes:
        assert route.path.startswith(b"/")
        assert route.name
        assert route.upstream.socket_path or (
            route.upstream.host and 0 < route.upstream.port < 65536
        )
        for name, value in (*route.request_headers.set, *route.response_headers.set):
            assert not re.search(rb"[\x00-\x08\x0a-\x1f\x7f]", name + value)
    for rules in (policy.default_cors, *(route.cors for route in policy.routes)):
        if isinstance(rules, CorsRules) and rules.credentials:
            assert rules.origins.any is None
            assert not any(pattern.is_null for pattern in rules.origins)
    fields = [(b"Host", b"localhost"), (b"Origin", b"https://nobody.invalid")]
    assert decide(policy, RequestHead("GET", b"/x", fields)).verdict.code is not Code.INTERNAL
    return policy


# Text


@given(st.text(max_size=400))
def test_random_text(text: str) -> None:
    outcome(text)


@given(st.binary(max_size=400))
def test_random_bytes(data: bytes) -> None:
    outcome(data)


@given(st.text(st.sampled_from("ab:- \n\t[]{},#&*!|>'\"%@`?$/.0"), max_size=120))
@settings(max_examples=150)
def test_random_text_of_yaml_s_own_characters(text: str) -> None:
    outcome(text)


# Structures

words = st.sampled_from(
    [
        "", "*", "null", "true", "off", "010", "10m", "none", "/", "/api", "GET", "patch", "Cookie",
        "https://a.example.com", "http://localhost:*", "https://*.com", "${NAME}", "${URL}", "${X}",
        "${EMPTY:-d}", "$$", "[::1]:80", "localhost:8010", "0.0.0.0:8011", "unix:/run/a.sock",
        "passthrough", "10.0.0.0/8", "64KiB", "-1", "é", "a b", "a,b", "\x7f", "\n", "x" * 70,
    ]
)  # fmt: skip
scalars = (
    st.none() | st.booleans() | st.integers(-5, 70000) | st.floats() | words | st.text(max_size=8)
)
keys = st.sampled_from(sorted({key for keys in KEYS.values() for key in keys})) | words
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=5),
    max_leaves=25,
)


@given(st.dictionaries(keys, values, max_size=8))
@settings(max_examples=120)
def test_random_structures(structure: dict[str, object]) -> None:
    outcome(yaml.safe_dump(structure, allow_unicode=True))


def mostly(*accepted: object) -> st.SearchStrategy[object]:
    """Values that are accepted in nine cases of ten."""
    return st.integers(0, 9).flatmap(lambda die: st.sampled_from(accepted) if die else values)


def mapping_of(**accepted: st.SearchStrategy[object]) -> st.SearchStrategy[dict[str, object]]:
    return st.fixed_dictionaries({}, optional=accepted)


durations = mostly("5s", 10, "250ms", "1h")
origins = mostly(
    ["http://localhost:5173"], ["https://*.example.com", "http://[::1]:*"], "null", "*", []
)
cors = mapping_of(
    allow_origins=origins,
    allow_methods=mostly(["PUT"], "*", [], ["patch", "QUERY"]),
    allow_headers=mostly(["x-id", "X-Other"], "*", []),
    expose_headers=mostly(["x-id"], "*", []),
    allow_credentials=mostly(True, False),
    max_age=mostly(0, "10m", 100_000, "none"),
    unlisted_origins=mostly("block", "forward"),
).map(lambda rules: {"allow_origins": ["http://localhost:1"], **rules})
rules = mapping_of(
    set=mostly({"X-A": "b", "X-Key": "${NAME}"}, {"Authorization": "Bearer $$x"}, {}),
    remove=mostly(["Server"], "X-B", []),
)
route = st.fixed_dictionaries(
    {
        "path": mostly("/", "/a", "/b", "/a/b", "/c"),
        "upstream": mostly(
            "https://api.example.com/v2", "http://[::1]:3000", "unix:/run/a", "${URL}"
        ),
    },
    optional={
        "name": mostly("a", "b", "c.d"),
        "cors": cors | mostly("passthrough"),
        "strip_path": mostly(True, False),
        "preserve_host": mostly(True, False),
        "origin": mostly("rewrite", "keep", "remove"),
        "cookies": mostly("auto", "keep"),
        "request_headers": rules,
        "response_headers": rules,
        "timeout": mapping_of(connect=durations, response=durations, idle=mostly("none")),
    },
)
files = st.fixed_dictionaries(
    {"cors": cors, "routes": st.lists(route, min_size=1, max_size=3)},
    optional={
        "upstream": mostly("https://api.example.com"),
        "listen": mostly("localhost:8020", 8030, ["127.0.0.1:0", "[::1]:8040"]),
        "admin": mostly("off", "localhost:0"),
        "allowed_hosts": mostly("shop.test", [], "*"),
        "limits": mapping_of(
            body=mostly("10MB", "none"), fields=mostly(64), target=mostly("4KiB", 512)
        ),
        "log": mapping_of(format=mostly("json"), requests=mostly("denied", "none")),
        "trusted_proxies": mostly(["10.0.0.0/8"], "::1"),
        "drain_delay": durations,
        "via": mostly(True, False, "name"),
    },
)


@given(files, st.booleans())
@settings(max_examples=120)
def test_files_with_a_few_mistakes(structure: dict[str, object], flow: bool) -> None:
    outcome(yaml.safe_dump(structure, allow_unicode=True, default_flow_style=flow, width=10**6))


# Mutations

SEEDS = [EXAMPLE, *(case.text for case in BROKEN.values())]


@given(st.data())
@settings(max_examples=150)
def test_mutated_files(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(SEEDS))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = min(len(text), start + data.draw(st.integers(0, 12)))
        inserted = data.draw(words | st.text(st.sampled_from(":- \n\t[]{}#&*!|>'\"%$"), max_size=3))
        text = text[:start] + inserted + text[end:]
    outcome(text)


@given(st.data())
@settings(max_examples=100)
def test_lines_removed_doubled_and_swapped(data: st.DataObject) -> None:
    lines = EXAMPLE.split("\n")
    for _ in range(data.draw(st.integers(1, 6))):
        first = data.draw(st.integers(0, len(lines) - 1))
        second = data.draw(st.integers(0, len(lines) - 1))
        match data.draw(st.sampled_from(["drop", "double", "swap", "indent"])):
            case "drop" if len(lines) > 1:
                del lines[first]
            case "double":
                lines.insert(second, lines[first])
            case "swap":
                lines[first], lines[second] = lines[second], lines[first]
            case _:
                lines[first] = f" {lines[first]}"
    outcome("\n".join(lines))


@given(st.data())
@settings(max_examples=100)
def test_a_fix_is_never_followed_by_the_same_problem(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(SEEDS))
    start = data.draw(st.integers(0, len(text)))
    text = text[:start] + data.draw(words) + text[start:]
    for problem in read(text)[1]:
        fixed = fixed_line(problem)
        if fixed is None:
            continue
        lines = re.split(r"\r\n|\n|\r", text)
        lines[problem.source.line - 1] = fixed
        left = read("\n".join(lines))[1]
        same = (problem.code, problem.source, problem.message, problem.line_text)
        assert same not in {(each.code, each.source, each.message, each.line_text) for each in left}


# Size

MEGABYTE = 1024 * 1024 - 200


def filled(part: str, before: str = "", after: str = "") -> str:
    return before + part * ((MEGABYTE - len(before) - len(after)) // len(part)) + after


ORIGINS = "upstream: http://a\ncors:\n  allow_origins: "
LARGE = {
    "brackets": filled("["),
    "braces": filled("{a: "),
    "dashes": filled("- "),
    "questions": filled("? "),
    "letters": filled("a"),
    "lines": filled("a\n"),
    "quotes": filled('"a" '),
    "open-quote": filled("a", '"'),
    "stars": filled("- *\n"),
    "templates": filled("{{ ", "a: "),
    "variables-in-brackets": filled("${A ", "a: ["),
    "tabs": filled("\t", "a:\n"),
    "tags": filled("- !x y\n"),
    "directives": filled("%YAML 1.1\n"),
    "anchors": filled("- &a x\n"),
    "aliases": filled("*a, ", "a: &a [x]\nb: [", "]"),
    "same-keys": filled("a: 1\n"),
    "unknown-keys": "".join(f"allow_origin{number}: 1\n" for number in range(45_000)),
    "long-unknown-keys": "".join(f"{'a' * 60}{number}: 1\n" for number in range(15_000)),
    "one-long-origin": filled("a.", f"{ORIGINS}https://", "com"),
    "bad-origins": filled("    - x/\n", f"{ORIGINS}\n"),
    "wildcards": ORIGINS + "".join(f"\n    - https://*.a{number}.com" for number in range(30_000)),
    "dollars": filled("$", ORIGINS),
    "references": filled("${A", ORIGINS),
    "duration": filled("1h", "drain_delay: "),
    "count": filled("0", "limits: {fields: ", "}"),
    "addresses": filled("8020, ", "listen: [", "1]"),
    "colons": filled(":", 'listen: "', '"'),
    "path": filled("/a", "routes: [{path: ", "}]"),
    "routes": "routes:\n" + "".join(
        f"- {{path: /a{number}, upstream: 'http://a'}}\n" for number in range(19_000)
    ),
    "header-value": filled(" a", "routes: [{request_headers: {set: {a: '", "\\'}}}]"),
}  # fmt: skip


@pytest.mark.parametrize("text", LARGE.values(), ids=LARGE)
def test_a_megabyte_of_anything_takes_seconds_at_most(text: str) -> None:
    start = time.perf_counter()
    for problem in read(text)[1]:
        render(problem)
        as_github(problem)
    # Each takes well under a second; what this is about took minutes, or never ended.
    assert time.perf_counter() - start < 15


def test_a_file_of_500_routes_is_read_at_once() -> None:
    routes = "".join(
        f"  - path: /r{number}\n    upstream: https://api{number}.example.com\n"
        f"    cors: {{allow_origins: [https://app{number}.example.com], max_age: 10m}}\n"
        for number in range(500)
    )
    start = time.perf_counter()
    policy, problems = read(f"routes:\n{routes}")
    # Some 50 ms; the rest is for slow and busy machines.
    assert time.perf_counter() - start < 2
    assert policy is not None
    assert (len(policy.routes), problems) == (500, ())
