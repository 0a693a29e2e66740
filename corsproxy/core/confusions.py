"""The two things that nearly every broken frontend mistakes for something else.

One is printed by the browser beside every failed request and is never its cause. The
other, a session cookie that is not sent, has five causes, and only one of them is this
proxy's to take away.
"""

from corsproxy.core.messages import Fields
from corsproxy.core.policy import CorsRules
from corsproxy.core.verdicts import Code, Kind, Verdict

REFERRER_POLICY = (
    "strict-origin-when-cross-origin, printed beside every request, is the browser's"
    " Referrer-Policy: it blocks nothing, and no CORS setting changes it."
)
REFERRER_POLICY_IN_SHORT = (
    "(strict-origin-when-cross-origin in DevTools is the Referrer-Policy, not the cause.)"
)
COOKIES = (
    "Whether a cookie is sent has causes of its own: credentials: 'include' in the call,"
    " the cookie's SameSite, its Secure, Domain and Path, and the browser's"
    " third-party cookie setting. A preflight never carries one."
)

_WHO_ARE_YOU = (401, 403)
_IDENTIFYING = frozenset({b"authorization", b"cookie"})


def lacks_cookie(verdict: Verdict, status: int, fields: Fields) -> bool:
    """Whether the upstream wanted to know who asks, and a page's allowed call did not say:
    most often a session cookie was meant to be there."""
    is_call = verdict.kind is Kind.ACTUAL and verdict.code is Code.ORIGIN_ALLOWED
    if not is_call or status not in _WHO_ARE_YOU:
        return False
    return all(name.lower() not in _IDENTIFYING for name, _ in fields)


def about_missing_cookie(rules: CorsRules, fields: Fields) -> str:
    """Return why a page's call may have come without the session cookie: what is known to
    keep it away, or else all that could."""
    if not rules.credentials:
        place = f" ({rules.credentials_source})" if rules.credentials_source.line else ""
        return (
            f"It came without a cookie, and may not have one: allow_credentials is not true{place}."
        )
    sites = [value for name, value in fields if name.lower() == b"sec-fetch-site"]
    if sites == [b"cross-site"]:
        return (
            "It came without a cookie. To the browser, the page and this proxy are different sites"
            " (localhost and 127.0.0.1 are, too), so SameSite cookies stay away: use one host"
            " name for both."
        )
    return f"It came without a cookie. {COOKIES}"
