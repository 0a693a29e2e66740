"""The answers that this proxy makes itself: problem details (RFC 9457) and preflights.

Every one of them carries the grant that the route would give, so that the page's script
can read why; the reason is in the body for people, and in `Corsproxy-Reason` for
DevTools, which shows the headers of a blocked response but not its body.
"""

from collections.abc import Sequence
from http import HTTPStatus
from json.encoder import encode_basestring_ascii as _quoted
from typing import Final

from corsproxy.core.cors import Grant, add_grant
from corsproxy.core.messages import ClientHead, Field, Framing
from corsproxy.core.verdicts import Verdict

REASON: Final = b"Corsproxy-Reason"


class Answer:
    """A response to send here and now."""

    __slots__ = ("body", "close", "detail", "head", "verdict")

    def __init__(
        self, head: ClientHead, body: bytes, verdict: Verdict, close: bool = False, detail: str = ""
    ) -> None:
        self.head: Final = head
        self.body: Final = body
        self.verdict: Final = verdict
        self.close: Final = close
        """Whether the client's connection must be closed after it."""
        self.detail: Final = detail
        """What happened to this request, in words; empty where there was no problem."""


def reason_phrase(status: int) -> bytes:
    """Return the standard's phrase, or nothing for a status that has none."""
    try:
        return HTTPStatus(status).phrase.encode("ascii")
    except ValueError:
        return b""


def problem(
    verdict: Verdict,
    grant: Grant,
    detail: str,
    hint: str | None = None,
    *,
    head_only: bool = False,
    close: bool = False,
    extra: Sequence[Field] = (),
    vary: Sequence[bytes] = (),
) -> Answer:
    """Return an `application/problem+json` answer for `verdict`.

    `detail` says what happened to this request, `hint` what to do about it. Neither
    may hold a secret, nor bytes of the request that have not passed a strict grammar.
    """
    status = verdict.facts.status
    body = _details(verdict, detail, hint)
    fields: list[Field] = [
        (b"Content-Type", b"application/problem+json"),
        (b"Content-Length", b"%d" % len(body)),
        (b"Cache-Control", b"no-store"),
        (b"X-Content-Type-Options", b"nosniff"),
        (REASON, verdict.reason.encode("utf-8")),
        *extra,
    ]
    add_grant(fields, vary, grant)
    framing = Framing.NONE if head_only else Framing.LENGTH
    head = ClientHead(status, reason_phrase(status), fields, framing)
    return Answer(head, b"" if head_only else body, verdict, close, detail)


def _details(verdict: Verdict, detail: str, hint: str | None) -> bytes:
    """Return the problem as JSON (RFC 9457, 3), indented for people: `json.dumps` would take a
    slow path for that."""
    members = [
        '"type": "about:blank"',
        f'"title": {_quoted(verdict.facts.title)}',
        f'"status": {verdict.facts.status}',
        f'"detail": {_quoted(detail)}',
        f'"code": {_quoted(verdict.code)}',
    ]
    if hint is not None:
        members.append(f'"hint": {_quoted(hint)}')
    return ("{\n  " + ",\n  ".join(members) + "\n}\n").encode("ascii")


def no_content(verdict: Verdict, fields: Sequence[Field]) -> Answer:
    """Return a 204: a preflight's answer, or OPTIONS about the server itself."""
    head = ClientHead(204, b"No Content", fields, Framing.NONE)
    return Answer(head, b"", verdict)
