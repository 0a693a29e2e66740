"""The things that nearly every broken frontend mistakes for something else.

One is printed by the browser beside every failed request and is never its cause. The
second, a session cookie that is not sent, has five causes, and only one of them is this
proxy's to take away. The third is a permission that only the user can give.
"""

from collections.abc import Sequence
from ipaddress import ip_address
from typing import Final

from corsproxy.core.messages import Fields
from corsproxy.core.origins import parse_origin
from corsproxy.core.origins.hosts import is_ipv4, is_loopback
from corsproxy.core.policy import CorsRules, Policy
from corsproxy.core.verdicts import ORIGIN_REFUSED, Code, Kind, Verdict

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
LOCAL_NETWORK_ACCESS: Final = (
    "A page on a public site that calls this machine also needs its user's permission (Local"
    " Network Access): the browser asks for it, and no response header can grant it, nor can"
    " Access-Control-Allow-Private-Network."
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


def about_missing_cookie(
    rules: CorsRules, fields: Fields, differing: Sequence[str] = ("host",)
) -> str:
    """Return why a page's call may have come without the session cookie: what is known to
    keep it away, or else all that could. `differing` says in what the page's origin and this
    proxy's are different: `scheme`, `host` or both."""
    if not rules.credentials:
        place = f" ({rules.credentials_source})" if rules.credentials_source.line else ""
        return (
            f"It came without a cookie, and may not have one: allow_credentials is not true{place}."
        )
    sites = [value for name, value in fields if name.lower() == b"sec-fetch-site"]
    if sites == [b"cross-site"] and tuple(differing) == ("scheme",):
        return (
            "It came without a cookie. The page is on https and this proxy on http, or the other"
            " way round: to the browser those are two sites, so SameSite cookies stay away. Start"
            " the proxy with --https, and open the page on https."
        )
    if sites == [b"cross-site"]:
        return (
            "It came without a cookie. To the browser, the page and this proxy are different sites"
            " (localhost and 127.0.0.1 are, too), so SameSite cookies stay away: use one host"
            " name for both."
        )
    return f"It came without a cookie. {COOKIES}"


def meets_local_network_access(policy: Policy, origin: str) -> bool:
    """Whether `origin` is a public site on https, as far as its name tells, and the proxy is
    reached on the user's own machine alone."""
    page = parse_origin(origin.encode("utf-8"))
    if page is None or page.scheme != "https" or is_loopback(page.host):
        return False
    if is_ipv4(page.host) or page.host.startswith("["):
        is_public = ip_address(page.host.strip("[]")).is_global
    else:
        is_public = "." in page.host
    return is_public and all(is_loopback(_as_host(each.host)) for each in policy.listen)


def _as_host(listen: str) -> str:
    return f"[{listen}]" if ":" in listen else listen


def about_local_network(policy: Policy, verdict: Verdict, fields: Fields) -> str | None:
    """Return what a refused page must know beyond the refusal, if it or its preflight is about
    this machine; None elsewhere."""
    if verdict.allowed or verdict.browser_error is None:
        return None
    asks = any(name.lower() == b"access-control-request-private-network" for name, _ in fields)
    refuses_origin = verdict.code in ORIGIN_REFUSED
    if asks or (refuses_origin and meets_local_network_access(policy, verdict.subject)):
        return LOCAL_NETWORK_ACCESS
    return None
