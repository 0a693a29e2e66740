"""Explanations: what the server would decide about a page's call, and why, in words.

A `PageCall` is what a script does; the browser makes one or two requests of it (Fetch,
"CORS-preflight fetch"). `explain` puts the same requests to the same `decide` as the
server does, so an explanation cannot differ from what happens; the steps only spell out
what each rule was and where it is written.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from corsproxy.core.advice.confusions import (
    COOKIES,
    LOCAL_NETWORK_ACCESS,
    REFERRER_POLICY,
    meets_local_network_access,
)
from corsproxy.core.advice.hints import credentials_hint, hint_for
from corsproxy.core.advice.remedies import Remedy, remedy_for
from corsproxy.core.answers import Answer
from corsproxy.core.cors import Grant
from corsproxy.core.decision import Forward, decide
from corsproxy.core.explain.steps import Step, steps_of
from corsproxy.core.fields import is_forbidden_request_header, is_token
from corsproxy.core.forwarding_summary import forwarding_summary
from corsproxy.core.guard import is_origin, parse_host
from corsproxy.core.messages import ClientHead, Field, RequestHead
from corsproxy.core.methods import FORBIDDEN_METHODS
from corsproxy.core.origins import OriginPatternError, parse_origin, parse_origin_pattern
from corsproxy.core.outcome.console import console_sentence
from corsproxy.core.page_call import PageCall
from corsproxy.core.policy import CorsRules, ListenAddress, Policy
from corsproxy.core.request_context import RequestContext
from corsproxy.core.routing import find_route, parse_target
from corsproxy.core.verdicts import Code, Verdict

# Origin-form; browsers percent-encode everything else, such as spaces and line breaks.
_TARGET = re.compile("/[!-~]*")


class Explanation(NamedTuple):
    """The decision in words. `text` is for people, `to_json` for programs."""

    call: PageCall
    steps: tuple[Step, ...]
    verdict: Verdict
    """The first refusal, or the verdict of the actual request."""
    preflight: tuple[Field, ...] | None
    """The fields that the preflight's answer carries; None where there is no preflight."""
    grant: tuple[Field, ...]
    """The grant on the response to the actual request; empty where it is never sent."""
    console: str | None
    """What Chromium's console prints."""
    hint: str | None
    remedy: Remedy | None
    notes: tuple[str, ...]

    @property
    def allowed(self) -> bool:
        return self.verdict.allowed

    @property
    def _decision(self) -> str:
        code = self.verdict.code
        if code is Code.PASSTHROUGH:
            return f"forwarded: {code}; whether the page may read the answer, the upstream decides"
        return f"{'allowed' if self.allowed else 'refused'}: {code}"

    def text(self) -> str:
        """Return the explanation as lines for a terminal, without colour."""
        call = self.call
        lines = [f"{call.normalized_method} {call.target} from {call.origin}", ""]
        for step in self.steps:
            place = "" if step.at is None else f"  ({step.at})"
            lines.append(f"  {'✓' if step.passed else '✗'} {step.text}{place}")
        lines += ["", self._decision]
        if self.console is not None:
            lines += ["", "The browser's console will say:", f"  {self.console}"]
        if self.hint is not None:
            lines += ["", self.hint]
        for title, fields in (("preflight", self.preflight), ("response", self.grant)):
            if fields:
                lines += ["", f"On the {title}:"]
                lines += [f"  {name.decode()}: {value.decode()}" for name, value in fields]
        for note in self.notes:
            lines += ["", note]
        return "\n".join(lines)

    def to_json(self) -> dict[str, object]:
        """Return the explanation as what `json.dumps` takes; keys are stable."""
        return {
            "allowed": self.allowed,
            "code": str(self.verdict.code),
            "kind": str(self.verdict.kind),
            "route": self.verdict.route,
            "at": None if self.verdict.at is None else str(self.verdict.at),
            "subject": self.verdict.subject,
            "status": self.verdict.facts.status or None,
            "browser_error": self.verdict.browser_error,
            "console": self.console,
            "hint": self.hint,
            "remedy": None
            if self.remedy is None
            else {
                "key": self.remedy.key,
                "value": self.remedy.value,
                "at": str(self.remedy.at),
                "route": self.remedy.route,
                "command": self.remedy.command,
            },
            "steps": [
                {
                    "passed": step.passed,
                    "text": step.text,
                    "at": None if step.at is None else str(step.at),
                }
                for step in self.steps
            ],
            "preflight": None if self.preflight is None else _as_json(self.preflight),
            "response": _as_json(self.grant),
            "notes": list(self.notes),
        }


def _as_json(fields: tuple[Field, ...]) -> dict[str, str]:
    return {name.decode("ascii"): value.decode("ascii", "replace") for name, value in fields}


def explain(policy: Policy, call: PageCall) -> Explanation:
    """Explain what happens to a page's call under `policy`.

    Raises ValueError, with a sentence, for a call that no browser makes.
    """
    check_call(call)
    if RequestContext(policy, _actual(policy, call)).is_same_origin(call.origin.encode("utf-8")):
        call = call._replace(same_origin=True, credentials=False)
    rules = _rules(policy, call)
    preflight = None
    detail = ""
    verdict: Verdict | None = None
    if call.needs_preflight:
        answer = decide(policy, _preflight(policy, call))
        verdict = _with_credentials(rules, call, answer.verdict)
        if isinstance(answer, Answer):
            preflight, detail = _grant_of(answer.head), answer.detail
    grant: tuple[Field, ...] = ()
    if verdict is None or verdict.allowed:
        decision = decide(policy, _actual(policy, call))
        verdict = _with_credentials(rules, call, decision.verdict)
        if isinstance(decision, Forward):
            grant = _shown_grant(decision.grant)
        else:
            grant, detail = _grant_of(decision.head), decision.detail
    return Explanation(
        call,
        tuple(steps_of(policy, rules, call, verdict, detail)),
        verdict,
        preflight,
        grant,
        _console(call, verdict),
        _hint(policy, rules, call, verdict),
        remedy_for(verdict, policy),
        tuple(_notes(policy, call, verdict)),
    )


def check_call(call: PageCall) -> None:
    """Raise ValueError, with a sentence that has every reason, for a call that no browser could
    make."""
    faults = "; ".join(_faults(call))
    if faults:
        raise ValueError(faults)


def _faults(call: PageCall) -> Iterator[str]:
    # A text may hold lone surrogates: JSON can spell them, and so can a command line.
    if not is_token(call.method.encode("utf-8", "replace")):
        yield f"{call.method!r} is not a method"
    if call.method.upper() in FORBIDDEN_METHODS:
        yield f"browsers never let a script send {call.method.upper()}"
    if _TARGET.fullmatch(call.target) is None:
        yield "the path must start with / and be percent-encoded ASCII"
    elif "#" in call.target:
        yield "browsers keep the fragment to themselves: leave out the # and the rest"
    for name in call.headers:
        if not is_token(name.encode("utf-8", "replace")):
            yield f"{name!r} is not a header name: give one at a time, no value"
        elif is_forbidden_request_header(name.lower().encode("ascii")):
            yield f"browsers never let a script set {name}: it needs no permission"
    if not is_origin(call.origin.encode("utf-8", "replace")):
        yield _no_origin(call.origin)  # last, because it may end in a call


def _no_origin(text: str) -> str:
    """Say why it is no origin, as the file's reader does, and what was probably meant."""
    try:
        parse_origin_pattern(text)
    except OriginPatternError as error:
        cause, _, remedy = error.message.partition(": ")
        if error.suggestion is not None:
            return f"{text!r} is not an origin: {cause}. Did you mean {error.suggestion}?"
        return f"{text!r} is not an origin: {cause} ({remedy})"
    return f"{text!r} stands for several origins: name one, such as http://localhost:5173"


def _rules(policy: Policy, call: PageCall) -> CorsRules:
    target = parse_target(call.target.encode("ascii"))
    route = None if target is None else find_route(policy, target.path)
    if route is None or route.cors == "passthrough":
        return policy.default_cors
    return route.cors


def _request(policy: Policy, call: PageCall, method: str, fields: list[Field]) -> RequestHead:
    origin = call.origin.encode("utf-8")
    asked = [_Asked.of(address) for address in policy.listen] or [_Asked(b"localhost", False)]
    own = next((each for each in asked if each.is_of(origin)), None)
    authority, secure = own or asked[0]
    site = b"cross-site" if own is None else b"same-origin"
    said = [(b"Host", authority), (b"Origin", origin), (b"Sec-Fetch-Site", site)]
    target = call.target.encode("ascii")
    return RequestHead(method, target, [*said, *fields], secure=secure)


class _Asked(NamedTuple):
    """A listener as a browser addresses it."""

    authority: bytes
    secure: bool

    @classmethod
    def of(cls, address: ListenAddress) -> "_Asked":
        text = address.authority
        if address.host in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
            text = f"localhost:{address.port}"
        return cls(text.encode("utf-8"), address.https)

    def is_of(self, origin: bytes) -> bool:
        """Whether a page of this origin is the listener's own."""
        page, own = parse_origin(origin), parse_host(self.authority)
        scheme, default = ("https", 443) if self.secure else ("http", 80)
        if page is None or own is None or page.scheme != scheme:
            return False
        return (page.host, page.port or default) == (own.name, own.port or default)


def _preflight(policy: Policy, call: PageCall) -> RequestHead:
    return _request(policy, call, "OPTIONS", call.preflight_fields)


def _actual(policy: Policy, call: PageCall) -> RequestHead:
    return _request(policy, call, call.normalized_method, [])


def _shown_grant(grant: Grant | None) -> tuple[Field, ...]:
    if grant is None:
        return ()
    return (*grant.fields, (b"Vary", b"Origin")) if grant.varies else grant.fields


def _grant_of(head: ClientHead) -> tuple[Field, ...]:
    return tuple(
        line
        for line in head.fields
        if line[0].lower().startswith(b"access-control-") or line[0].lower() == b"vary"
    )


_ORIGIN_GRANTED = (Code.ORIGIN_ALLOWED, Code.METHOD_NOT_ALLOWED, Code.HEADER_NOT_ALLOWED)


def _with_credentials(rules: CorsRules, call: PageCall, verdict: Verdict) -> Verdict:
    """Add the check that only the browser can make, since it alone knows the credentials
    mode; it comes before the method and the headers (Fetch, "CORS check")."""
    if not call.credentials or verdict.code not in _ORIGIN_GRANTED:
        return verdict
    if rules.origins.any is not None:
        code, at = Code.CREDENTIALS_WITH_WILDCARD, rules.origins.any.source
    elif not rules.credentials:
        code, at = Code.CREDENTIALS_NOT_ALLOWED, rules.credentials_source
    else:
        return verdict
    return verdict.replace(code=code, allowed=False, at=at, subject="credentials")


def _console(call: PageCall, verdict: Verdict) -> str | None:
    """Return Chromium's message without the URL at its beginning."""
    error = verdict.browser_error
    if error is None:
        return None
    # Of several headers Chromium names one.
    named = verdict.subject.partition(", ")[0] if "Disallowed" in error else ""
    message = console_sentence(error, named)
    return f"… from origin '{call.origin}' has been blocked by CORS policy: {message}"


def _hint(policy: Policy, rules: CorsRules, call: PageCall, verdict: Verdict) -> str | None:
    if verdict.code is Code.CREDENTIALS_WITH_WILDCARD:
        return credentials_hint(call.origin)
    return hint_for(verdict, policy, rules)


def _notes(policy: Policy, call: PageCall, verdict: Verdict) -> list[str]:
    notes = []
    if verdict.browser_error is not None:
        notes.append(REFERRER_POLICY)
    if meets_local_network_access(policy, call.origin):
        notes.append(LOCAL_NETWORK_ACCESS)
    if verdict.code is Code.PASSTHROUGH:
        notes.append(
            "This proxy forwards the call and its preflight, and the upstream decides:"
            " --ask-upstream asks the upstream what it grants."
        )
    if call.credentials and verdict.allowed:
        notes.append(COOKIES)
    if verdict.allowed:
        taking = [route for route in policy.routes if route.name == verdict.route]
        notes += [f"The upstream is told {forwarding_summary(route)}." for route in taking]
    return notes
