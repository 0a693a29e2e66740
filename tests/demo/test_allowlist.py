"""The demo's allowlist: it refuses three calls, and each of its edits allows one."""

import pytest

from corsproxy.core.explain.explanation import explain
from corsproxy.core.policy import Policy
from corsproxy.demo.allowlist import DemoAllowlist, refused_calls

API = "http://127.0.0.1:40003"
PAGES = ("http://localhost:40001", "http://localhost:40002")
CALLS = refused_calls(*PAGES)


@pytest.fixture
def allowlist() -> DemoAllowlist:
    return DemoAllowlist(API, *PAGES)


def refused(policy: Policy) -> set[str]:
    return {name for name, call in CALLS.items() if not explain(policy, call).allowed}


def test_each_of_the_calls_is_refused(allowlist: DemoAllowlist) -> None:
    assert refused(allowlist.policy) == CALLS.keys()


@pytest.mark.parametrize("name", CALLS)
def test_an_edit_allows_its_call_and_no_other(allowlist: DemoAllowlist, name: str) -> None:
    allowlist.allow(name)
    assert refused(allowlist.policy) == CALLS.keys() - {name}
    allowlist.allow(name)  # once more does nothing
    assert refused(allowlist.policy) == CALLS.keys() - {name}


def test_edits_accumulate_and_can_be_reset(allowlist: DemoAllowlist) -> None:
    before = allowlist.as_json()
    for name in CALLS:
        allowlist.allow(name)
    assert refused(allowlist.policy) == set()
    assert allowlist.as_json()["edited"] is True
    allowlist.reset()
    assert allowlist.as_json() == before


def test_followers_get_the_policy_of_every_edit(allowlist: DemoAllowlist) -> None:
    policies: list[Policy] = []
    allowlist.on_change(policies.append)
    allowlist.allow("method")
    allowlist.reset()
    assert [refused(policy) for policy in policies] == [{"header", "origin"}, set(CALLS)]


def test_an_unknown_call_is_a_key_error(allowlist: DemoAllowlist) -> None:
    with pytest.raises(KeyError):
        allowlist.allow("everything")


@pytest.mark.parametrize(
    ("name", "changed", "signs"),
    [("method", [7], "-+"), ("header", [8], "-+"), ("origin", [7], "+")],
)
def test_the_diff_is_what_changes(
    allowlist: DemoAllowlist, name: str, changed: list[int], signs: str
) -> None:
    shown = allowlist.as_json()["refusals"]
    assert isinstance(shown, dict)
    assert "".join(line["sign"] for line in shown[name]["diff"]) == signs
    allowlist.allow(name)
    assert allowlist.as_json()["changed"] == changed


def test_an_allowed_call_has_no_edit(allowlist: DemoAllowlist) -> None:
    allowlist.allow("header")
    shown = allowlist.as_json()["refusals"]
    assert isinstance(shown, dict)
    assert (shown["header"]["command"], shown["header"]["diff"]) == (None, [])
    assert shown["method"]["command"] == "corsproxy allow method DELETE"


def test_every_rule_is_named_by_its_line(allowlist: DemoAllowlist) -> None:
    shown = allowlist.as_json()["refusals"]
    assert isinstance(shown, dict)
    lines = {name: each["steps"][-1]["at"] for name, each in shown.items()}
    assert {name: at.split(":")[1] for name, at in lines.items()} == {
        "method": "7",
        "header": "8",
        "origin": "6",
    }
