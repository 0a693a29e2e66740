"""Why a call was decided as it was: the steps of the decision, in the words of `corsproxy explain`.

The policy that decided is asked again about the captured request. An explanation whose
verdict differs from the exchange's is not shown.
"""

from corsproxy.core.advice.diagnosis import Ended, about_unfollowed, advise
from corsproxy.core.browser import check_response
from corsproxy.core.explain.explanation import Explanation, explain
from corsproxy.core.fields import is_forbidden_request_header
from corsproxy.core.messages import ResponseHead
from corsproxy.core.page_call import PageCall
from corsproxy.core.policy import Policy
from corsproxy.core.verdicts import Kind, Verdict
from corsproxy.shell.admin.inspector.exchanges import Exchange
from corsproxy.shell.admin.inspector.ring import Row
from corsproxy.shell.admin.inspector.rows import (
    Json,
    asked_headers_of,
    call_of,
    is_unread,
    outcome_of,
    page_method_of,
)
from corsproxy.shell.admin.inspector.secrets import text_of
from corsproxy.shell.feed.quoting import redacted
from corsproxy.shell.feed.unfollowed import may_lack_credentials

_NEEDS_NONE = (
    "The browser sent no preflight: this call needs none, or the answer to an earlier one was"
    " still cached."
)


def why(row: Row, decided_by: Policy | None, policy: Policy) -> Json:
    """Return the reasons for what happened in a row.

    `decided_by` is the policy that decided, None if it is no longer kept; `policy` is the
    current one.
    """
    exchange = row.main
    verdict = exchange.verdict
    if verdict is None:
        return {"steps": [], "title": "Not decided yet"}
    told = _explained(row, verdict, decided_by or policy)
    found: Json = {
        "title": verdict.facts.title,
        "code": str(verdict.code),
        "kind": str(verdict.kind),
        "allowed": verdict.allowed,
        "at": None if verdict.at is None else str(verdict.at),
        "route": verdict.route,
        "subject": verdict.subject,
        "browser_error": _browser_error(verdict, exchange),
        "steps": _steps(told, verdict, exchange),
        "console": _console(told, exchange),
        "outcome": _outcome(exchange),
        "hints": _hints(row, verdict, decided_by or policy),
        "notes": [] if told is None else list(told.notes),
        "detail": exchange.detail,
        "preflight": _about_preflight(row),
        "lacks_credentials": lacks_call(row, decided_by or policy) or None,
        "without_proxy": _without_proxy(row),
        "is_old": decided_by is not policy,
    }
    if decided_by is not policy:
        found["now"] = _now(row, policy)
    return {key: value for key, value in found.items() if value not in (None, "", [])}


def page_call_of(row: Row) -> PageCall | None:
    """Return the call that the page made; None if no page made it."""
    exchange = row.main
    origin = exchange.value(b"origin")
    if origin is None:
        return None
    headers = tuple(
        name
        for name in asked_headers_of(row)
        if not is_forbidden_request_header(name.lower().encode("latin-1"))
    )
    is_call = row.call is not None
    return PageCall(
        text_of(origin),
        exchange.request.target.decode("latin-1"),
        page_method_of(row),
        headers,
        credentials=is_call and exchange.value(b"cookie") is not None,
    )


def explained(policy: Policy, call: PageCall | None) -> Explanation | None:
    """Return what a policy decides about a call; None if a browser would not make it."""
    try:
        return None if call is None else explain(policy, call)
    except ValueError:
        return None


def _explained(row: Row, verdict: Verdict, policy: Policy) -> Explanation | None:
    told = None if verdict.kind is Kind.WEBSOCKET else explained(policy, page_call_of(row))
    return told if told is not None and told.verdict.code is verdict.code else None


def _steps(told: Explanation | None, verdict: Verdict, exchange: Exchange) -> list[Json]:
    if told is not None:
        steps = [(step.passed, step.text, step.at) for step in told.steps]
    else:
        named = f": {verdict.subject}" if verdict.subject else ""
        told_here = exchange.detail if is_unread(exchange) else None
        text = told_here or f"{verdict.facts.title}{named}"
        steps = [(verdict.allowed, text, verdict.at)]
    if exchange.detail and exchange.sent is not None and verdict.facts.status >= 500:
        steps.append((False, exchange.detail, None))
    return [
        {"passed": passed, "text": text, "at": None if at is None else str(at)}
        for passed, text, at in steps
    ]


def lacks_call(row: Row, policy: Policy) -> bool:
    """Whether a preflight was granted without credentials and no call followed: for a call with
    credentials, the missing call is the only sign."""
    exchange = row.main
    if exchange.verdict is None or row.call is not None or not exchange.is_over:
        return False
    return may_lack_credentials(policy, exchange.verdict, exchange.request.target)


def _hints(row: Row, verdict: Verdict, policy: Policy) -> list[str]:
    """Return what the terminal says about the exchange, line by line."""
    exchange = row.main
    head = exchange.client_head
    ended = Ended(
        policy,
        exchange.request,
        verdict,
        exchange.status,
        () if head is None else head.fields,
        call_of(exchange),
        outcome_of(exchange),
        exchange.detail,
    )
    found = advise(ended)
    if lacks_call(row, policy):
        found.append(about_unfollowed(ended))
    return [line for advice in found for line in advice.lines]


def _console(told: Explanation | None, exchange: Exchange) -> str | None:
    """Return the browser's console message if it blocked the call."""
    outcome = outcome_of(exchange)
    if told is not None and told.console is not None:
        return told.console
    return None if outcome is None else outcome.sentence or None


def _browser_error(verdict: Verdict, exchange: Exchange) -> str | None:
    """Return Chromium's name of the CORS error; a WebSocket's handshake has none."""
    if verdict.kind is Kind.WEBSOCKET:
        return None
    outcome = outcome_of(exchange)
    return verdict.browser_error or (None if outcome is None else outcome.error)


def _outcome(exchange: Exchange) -> Json | None:
    outcome = outcome_of(exchange)
    if outcome is None:
        return None
    location = None if outcome.location is None else text_of(redacted(outcome.location))
    found = {
        "word": str(outcome.word),
        "error": outcome.error,
        "location": location,
        "hangs_on": outcome.hangs_on,
    }
    return {key: value for key, value in found.items() if value}


def _about_preflight(row: Row) -> str | None:
    verdict = row.main.verdict
    if row.preflight is not None:
        if row.call is None and verdict is not None and verdict.allowed:
            return "The preflight was granted, but no call has followed it."
        return None
    is_cors = verdict is not None and verdict.kind is Kind.ACTUAL
    return _NEEDS_NONE if is_cors else None


def _without_proxy(row: Row) -> str | None:
    """Return what the browser would have made of the upstream's own response."""
    exchange, call = row.main, page_call_of(row)
    head = exchange.upstream_answer
    if head is None or call is None or exchange.status == 101:
        return None
    answer = ResponseHead(head.status, head.reason, head.fields)
    obstacle = check_response(call, answer)
    if obstacle is None:
        return "Without this proxy the page could read the upstream's answer, too."
    return (
        f"Without this proxy the browser would keep the upstream's answer from the page:"
        f" {obstacle.sentence} ({obstacle.error})."
    )


def _now(row: Row, policy: Policy) -> Json | None:
    """Return the current policy's verdict on the same call."""
    told = explained(policy, page_call_of(row))
    return None if told is None else {"allowed": told.allowed, "code": str(told.verdict.code)}
