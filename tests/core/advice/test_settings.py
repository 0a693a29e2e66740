"""One command without a file, one key with it."""

import re
from dataclasses import replace
from typing import Any

import pytest

from corsproxy.config.reader import read_policy
from corsproxy.config.without_file import Quick, quick_policy
from corsproxy.core.advice.settings import is_quick, key_of_route, setting
from corsproxy.core.policy import Typed

QUICK = quick_policy(Quick("3000"))
FILE = read_policy("upstream: http://localhost:3000\n", "corsproxy.yaml", {}, "/").policy


@pytest.mark.parametrize(
    ("wanted", "command", "key"),
    [
        ({"preserve_host": True}, "http://localhost:3000 --preserve-host", "preserve_host: true"),
        ({"origin": "remove"}, "http://localhost:3000 --origin remove", "origin: remove"),
        ({"https": True}, "http://localhost:3000 --https", "listen: https://localhost:8010"),
        ({"upstream": "https://a.test"}, "https://a.test", "upstream: https://a.test"),
        ({"header": ("X-A", "1")}, "http://localhost:3000 --header 'X-A: 1'", '{X-A: "1"}'),
    ],
)
def test_each_has_a_flag_and_a_key(wanted: dict[str, Any], command: str, key: str) -> None:
    assert setting(QUICK, QUICK.routes[0], **wanted) == f"start it with: corsproxy {command}"
    assert key in setting(FILE, FILE.routes[0], **wanted)


def test_where_a_key_is_written() -> None:
    assert (is_quick(QUICK), is_quick(FILE)) == (True, False)
    assert key_of_route(QUICK, QUICK.routes[0], "origin: remove") is None
    route = "{path: /, upstream: http://localhost:3000, origin: remove}"
    assert key_of_route(FILE, FILE.routes[0], "origin: remove") == (
        f"write `routes: [{route}]` in place of `upstream` (corsproxy.yaml:1:11)"
    )


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (
            Typed(("--https", "-p", "9000")),
            "start it with: corsproxy http://localhost:3000 -p 9000",
        ),
        (None, "start corsproxy without --https"),
    ],
)
def test_a_proxy_on_https_is_taken_off_it(typed: Typed | None, said: str) -> None:
    policy = replace(QUICK, typed=typed)
    assert setting(policy, policy.routes[0], https=False) == said


ROUTES = "routes:\n- {path: /shop, upstream: http://localhost:3000}\n"


@pytest.mark.parametrize("upstream", ["http://localhost:3000", "http://[::1]:80/a", "unix:/a,b"])
@pytest.mark.parametrize("routes", ["", ROUTES])
def test_the_short_form_becomes_the_route_that_has_the_key(upstream: str, routes: str) -> None:
    text = f"upstream: {upstream}\n{routes}"
    before = read_policy(text, "corsproxy.yaml", {}, "/").policy
    short = next(route for route in before.routes if route.is_short)
    do = key_of_route(before, short, "origin: remove") or ""
    written = re.findall("`([^`]+)`", do)
    text = f"{routes}{written[1]}\n" if routes else written[0]
    after = read_policy(text, "corsproxy.yaml", {}, "/").policy
    [route] = [each for each in after.routes if each.path == b"/"]
    assert (route.upstream, route.origin) == (short.upstream, "remove")
    # A route that is written out takes the key where it stands.
    key = "timeout: {response: 5m}"
    assert key_of_route(after, route, key) == f"write `{key}` on the route at {route.source}"
