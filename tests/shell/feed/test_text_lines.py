"""The log of exchanges for people."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.core.advice.diagnosis import Advice, Cause
from corsproxy.core.outcome.outcome import Outcome, Word
from corsproxy.core.verdicts import Code, Kind, Verdict
from corsproxy.shell.feed.records import ExchangeRecord
from corsproxy.shell.feed.text_lines import TextLines
from tests.shell.feed.test_journal import ALLOWED, ORIGIN, REFUSED, parsed, preflight, record


def advising(hint: str | None = None) -> Callable[[ExchangeRecord], list[Advice]]:
    """Advice about everything, the upstream's fault first."""

    def advise(record: ExchangeRecord) -> list[Advice]:
        lines = tuple(each for each in (record.detail, hint) if each is not None)
        subject = f"{record.verdict} {record.origin!r} {record.outcome}"
        return [Advice(Cause.REFUSED, subject, lines)]

    return advise


def text(*records: ExchangeRecord, hint: str | None = None, width: int = 160) -> list[str]:
    lines = TextLines(advising(hint), color=False, width=lambda: width)
    return "".join(lines.exchange(each) for each in records).splitlines()


def test_an_ordinary_exchange_is_one_aligned_line_without_words() -> None:
    (line,) = text(record())
    assert line[8:] == (
        "  GET     /v1/users                        200     34 ms  http://localhost:5173"
    )


def test_columns_align() -> None:
    lines = text(record(), preflight(), record(method="DELETE", status=404, duration_s=12.5))
    assert len({line.index(" ms") for line in lines}) == 1


def test_a_preflight_names_the_method_it_asks_for() -> None:
    allowed = ALLOWED.replace(kind=Kind.PREFLIGHT)
    (line,) = text(preflight(verdict=allowed, outcome=None))
    assert line.endswith("preflight for PATCH ok")


def test_a_refusal_comes_with_its_fix_once_and_is_then_counted() -> None:
    lines = text(*[preflight(outcome=None)] * 3, hint="Add PATCH.")
    assert len(lines) == 4
    assert lines[0].endswith("  BLOCKED method-not-allowed PATCH")
    assert lines[1] == "          Add PATCH."
    assert lines[2].endswith("BLOCKED method-not-allowed PATCH (×2)")
    assert lines[3].endswith("BLOCKED method-not-allowed PATCH (×3)")


def test_a_preflight_of_a_refused_origin_names_its_method() -> None:
    refused = REFUSED.replace(code=Code.ORIGIN_NOT_ALLOWED, subject=ORIGIN.decode())
    (line,) = text(preflight(verdict=refused, outcome=None))
    assert line.endswith("BLOCKED origin-not-allowed in the preflight for PATCH")


def test_another_refusal_has_a_hint_of_its_own() -> None:
    first = preflight(outcome=None)
    other = preflight(verdict=REFUSED.replace(subject="PUT"), outcome=None)
    assert len(text(first, other, first, hint="Add it.")) == 5


def test_hints_come_again_after_a_reload() -> None:
    lines = TextLines(advising("Add PATCH."), color=False)
    lines.exchange(preflight())
    assert "Add PATCH." not in lines.exchange(preflight())
    lines.forget()
    assert "Add PATCH." in lines.exchange(preflight())


def test_an_upstream_failure_is_explained_the_first_time() -> None:
    down = record(
        verdict=ALLOWED.replace(code=Code.UPSTREAM_UNREACHABLE),
        status=502,
        detail="127.0.0.1 refused the connection",
    )
    lines = text(down, down, hint="The upstream cannot be reached.")
    assert lines[1:3] == [
        f"{'':10}127.0.0.1 refused the connection",
        f"{'':10}The upstream cannot be reached.",
    ]
    assert len(lines) == 4


def test_origins_are_counted_separately_and_shown_as_received() -> None:
    malformed = Verdict(Kind.ACTUAL, Code.ORIGIN_NOT_ALLOWED, False, "shop", None, "")
    twice = record(
        verdict=malformed, status=403, fields=[(b"Origin", ORIGIN), (b"origin", b"http://b.test")]
    )
    once = record(verdict=malformed, status=403, fields=[(b"Origin", b"nonsense")])
    shown = text(twice, once, twice, width=180)
    assert "  http://localhost:5173, http://b.test  " in shown[0]
    assert "  nonsense  " in shown[1]
    assert ["×" in line for line in shown] == [False, False, True]
    assert parsed(twice)["origin"] == "http://localhost:5173, http://b.test"


@pytest.mark.parametrize(
    ("changes", "ending"),
    [
        ({"verdict": ALLOWED.replace(code=Code.UPSTREAM_UNREACHABLE), "status": 502},
         "FAILED upstream-unreachable"),
        ({"status": 500}, "http://localhost:5173"),
        ({"status": 101, "verdict": ALLOWED.replace(kind=Kind.WEBSOCKET)}, "websocket"),
        ({"status": 499, "error": "client-left"}, "[client-left]"),
        ({"status": 401}, "no cookie"),
        ({"status": 401, "fields": [(b"Origin", ORIGIN), (b"cookie", b"a=1")]}, ORIGIN.decode()),
        ({"verdict": Verdict(Kind.ACTUAL, Code.ORIGIN_NOT_ALLOWED, False, None, None, "http://x"),
          "status": 403}, "BLOCKED origin-not-allowed http://x"),
        ({"verdict": Verdict(Kind.ACTUAL, Code.ORIGIN_NOT_ALLOWED, False, None, None,
                             ORIGIN.decode()), "status": 403}, "BLOCKED origin-not-allowed"),
        ({"verdict": Verdict(Kind.NO_ORIGIN, Code.HOST_NOT_ALLOWED, False, None, None, "evil"),
          "status": 421}, "REFUSED host-not-allowed evil"),
    ],
    ids=["upstream down", "upstream's own 500", "websocket", "client left", "who", "known",
         "blocked", "blocked as shown", "host"],
)  # fmt: skip
def test_only_interesting_decisions_are_shown(changes: dict[str, Any], ending: str) -> None:
    assert text(record(**changes), width=140)[0].endswith(ending)


def test_a_long_path_is_cut_in_text_and_whole_in_json() -> None:
    target = b"/" + b"a" * 500
    assert len(text(record(target=target))[0]) < 300
    assert parsed(record(target=target))["path"] == target.decode()


def test_colour_adds_escape_sequences_and_no_text() -> None:
    line = TextLines(advising(), color=True).exchange(record())
    assert "\x1b[32m200\x1b[0m" in line


BLOCKED = Outcome(Word.BLOCKED, "InvalidAllowCredentials")
AWAY = Outcome(Word.LEAVES, location=b"https://sso.example.com/?state=hunter2")
TARGETS = [b"/", b"/v1/users/12345/orders/678/items?include=everything&page=2", b"/" + b"a/" * 200]


@pytest.mark.parametrize(
    ("changes", "ending"),
    [
        ({"outcome": BLOCKED}, "BLOCKED credentials-not-allowed"),
        ({"outcome": Outcome(Word.BLOCKED, "NotSameOrigin")}, "BLOCKED NotSameOrigin"),
        ({"outcome": AWAY, "status": 302}, "LEAVES → https://sso.example.com/?state=***"),
        (
            {"outcome": AWAY._replace(is_embedded=True), "status": 302},
            "leaves → https://sso.example.com/?state=***",
        ),
        ({"outcome": Outcome(Word.OPAQUE)}, "opaque"),
        ({"outcome": Outcome(Word.READABLE)}, ORIGIN.decode()),
    ],
)
def test_a_blocked_response_never_looks_like_success(changes: dict[str, Any], ending: str) -> None:
    assert "\n".join(text(record(**changes))).endswith(ending)
    painted = TextLines(advising(), color=True).exchange(record(**changes))
    lost = ending.startswith(("BLOCKED", "LEAVES"))
    assert ("\x1b[32m" in painted) == (not lost and "status" not in changes)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("width", [60, 80, 100, 140])
@given(
    repeats=st.integers(1, 3),
    outcome=st.sampled_from([None, BLOCKED, AWAY]),
    verdict=st.sampled_from([ALLOWED, REFUSED]),
    hint=st.sampled_from([None, "Add the origin to the list. " * 8]),
)
def test_nothing_wraps(
    target: bytes,
    width: int,
    repeats: int,
    outcome: Outcome | None,
    verdict: Verdict,
    hint: str | None,
) -> None:
    shown = record(target=target, outcome=outcome, verdict=verdict, error="client-left")
    for line in text(*[shown] * repeats, hint=hint, width=width):
        assert len(line) <= width, line


def test_a_path_is_shortened_in_the_middle() -> None:
    line = text(record(target=TARGETS[1]), width=80)[0]
    assert "/v1/users/1" in line
    assert "…" in line
    assert "page=2 " in line


def test_an_origin_is_shown_when_it_changes() -> None:
    shown = text(record(), record(), record(fields=[(b"Origin", b"http://b.test")]))
    assert [ORIGIN.decode() in line for line in shown] == [True, False, False]
    assert "http://b.test" in shown[2]


def test_an_address_that_does_not_fit_is_shortened_and_not_broken() -> None:
    location = f"https://login.example.com/{'a' * 60}/authorize"
    leaves = Outcome(Word.LEAVES, location=location.encode())
    shown = "\n".join(text(record(outcome=leaves, status=302), width=80))
    assert "LEAVES → " in shown
    assert "https://login.example.com/a" in shown
    assert shown.count("…") == 1
    assert max(map(len, shown.splitlines())) <= 80


def test_a_command_is_whole_whatever_its_length() -> None:
    command = "corsproxy allow header " + " ".join(f"x-stainless-{n}" for n in range(9))
    shown = text(preflight(), hint=f"Add them, or run: {command}", width=80)
    assert f"{'':12}{command}" in shown


def test_the_referrer_policy_is_explained_once() -> None:
    other = preflight(verdict=REFUSED.replace(subject="PUT"))
    shown = "\n".join(text(preflight(), other, preflight(), hint="Add it."))
    assert shown.count("Referrer-Policy") == 1
