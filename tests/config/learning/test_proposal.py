"""The edit that refused calls need, and what is never proposed."""

import pytest

from corsproxy.config.editing.edits import File
from corsproxy.config.learning.observations import Seen
from corsproxy.config.learning.proposal import Proposal, propose
from corsproxy.core.explain.explanation import explain
from corsproxy.core.page_call import PageCall

PAGE = "https://app.example.com"
TEXT = f"""\
# The allowlist of the shop.
cors:
  allow_origins:
    - {PAGE}   # ours
routes:
  - {{path: /, upstream: "http://a.test"}}
  - {{path: /own, upstream: "http://b.test", cors: {{allow_headers: [x-own]}}}}
"""
ONCE = Seen(1, "2026-11-29")


def file(text: str | bytes = TEXT) -> File:
    content = text.encode() if isinstance(text, str) else text
    return File(content, "corsproxy.yaml", {}, "/", "2026-11-29")


def proposed(*calls: PageCall, suffixes: tuple[str, ...] = ()) -> Proposal:
    return propose(file(), dict.fromkeys(calls, ONCE), suffixes)


def additions(proposal: Proposal) -> list[str]:
    return [
        f"{each.kind} {each.value}" + ("" if each.route is None else f" on {each.route}")
        for each in proposal.additions
    ]


def test_each_addition_is_needed_and_all_are_enough() -> None:
    calls = (
        PageCall("http://localhost:5173", "/", "PURGE", ("x-a", "x-b"), True),
        PageCall(PAGE, "/own", "GET", ("x-c",)),
    )
    proposal = proposed(*calls)
    assert additions(proposal) == [
        "origin http://localhost:5173",
        "credentials true",
        "method PURGE",
        "header x-a",
        "header x-b",
        "header x-c on /own",
    ]
    policy = file(proposal.after).reading.policy
    assert all(explain(policy, call).allowed for call in calls)
    assert proposal.after.startswith(b"# The allowlist of the shop.\n")
    assert b"# ours" in proposal.after


@pytest.mark.parametrize(
    ("origin", "words"),
    [
        ("null", "any page"),
        ("https://evil.example", "--origin-suffix"),
        ("http://192.168.1.5:3000", "plain http"),
        ("http://shop.example.org", "plain http"),
        ("chrome-extension://abc", "not an origin of the web"),
    ],
)
def test_some_origins_are_only_listed(origin: str, words: str) -> None:
    proposal = proposed(PageCall(origin, "/"), suffixes=("example.org",))
    assert proposal.after == proposal.before
    [other] = proposal.others
    assert other.origin == origin
    assert words in other.reason


def test_only_hosts_under_a_typed_suffix_are_proposed() -> None:
    hosts = {"api.example.org": Seen(2, "2026-11-29"), "evil.test": ONCE}
    proposal = propose(file(), {}, ["example.org"], hosts)
    assert additions(proposal) == ["host api.example.org"]
    assert b"\nallowed_hosts: [api.example.org]\n" in proposal.after
    [other] = proposal.others
    assert other.origin == "host evil.test"
    assert "anyone can point a name here" in other.reason
    again = propose(file(proposal.after), {}, ["example.org"], hosts)
    assert again.additions == ()


def test_a_typed_suffix_covers_the_pages_below_it_alone() -> None:
    calls = [PageCall(f"https://{host}", "/") for host in ("a.example.org", "evilexample.org")]
    proposal = proposed(*calls, suffixes=("example.org",))
    assert additions(proposal) == ["origin https://a.example.org"]
    assert [other.origin for other in proposal.others] == ["https://evilexample.org"]


def test_several_ports_of_one_loopback_host_are_one_entry() -> None:
    calls = [PageCall(f"http://localhost:{port}", "/") for port in (3000, 5173)]
    proposal = proposed(*calls, PageCall("http://127.0.0.1:3000", "/"))
    assert additions(proposal) == ["origin http://localhost:*", "origin http://127.0.0.1:3000"]
    assert [each.seen.times for each in proposal.additions] == [2, 1]


def test_three_or_more_siblings_become_one_entry() -> None:
    calls = [PageCall(f"https://pr-{n}.example.org", "/") for n in (1, 22, 3)]
    other = PageCall("https://app.example.org", "/")
    proposal = proposed(*calls, other, suffixes=("example.org",))
    assert additions(proposal) == [
        "origin https://pr-*.example.org",
        "origin https://app.example.org",
    ]
    proposal = proposed(*calls[:2], suffixes=("example.org",))
    assert len(additions(proposal)) == 2


def test_an_upload_needs_the_headers_that_its_client_reads() -> None:
    creates = PageCall(PAGE, "/", "POST", ("tus-resumable", "upload-length"))
    sends = PageCall(PAGE, "/", "PATCH", ("content-type", "tus-resumable", "upload-offset"))
    assert additions(proposed(creates, sends)) == [
        "header tus-resumable",
        "header upload-length",
        "expose location",
        "header upload-offset",
        "expose upload-offset",
    ]


def test_a_listed_page_needs_no_suffix() -> None:
    assert additions(proposed(PageCall(PAGE, "/", credentials=True))) == ["credentials true"]


def test_a_method_that_is_never_forwarded_is_not_proposed() -> None:
    proposal = proposed(PageCall(PAGE, "/", "FOO"))
    assert additions(proposal) == []
    assert "method-not-allowed" in proposal.others[0].reason
