"""Three common causes of confusion, explained.

The first is a message that browsers print beside every failed request and that is never the
cause. The second is a session cookie that is not sent: it has five causes, and this proxy can
remove only one of them. The third is a permission that only the user can give.
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
    "Whether a cookie is sent depends on more than CORS: credentials: 'include' in the call,"
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
    """Whether the upstream wanted to know who asks, and an allowed call did not say so:
    most often a session cookie is missing."""
    is_call = verdict.kind is Kind.ACTUAL and verdict.code is Code.ORIGIN_ALLOWED
    if not is_call or status not in _WHO_ARE_YOU:
        return False
    return all(name.lower() not in _IDENTIFYING for name, _ in fields)


def about_missing_cookie(
    rules: CorsRules, fields: Fields, differing: Sequence[str] = ("host",)
) -> str:
    """Return why a page's call may have come without the session cookie: the known cause, or
    else every possible one. `differing` says how the page's origin differs from this proxy's:
    in `scheme`, `host` or both."""
    if not rules.credentials:
        place = f" ({rules.credentials_source})" if rules.credentials_source.line else ""
        return (
            "It came without a cookie. If the page sends cookies, the browser keeps the response"
            f" from it: allow_credentials is not true{place}."
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
    """Whether `origin` looks like a public https site while the proxy can be reached only on
    the user's own machine."""
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
    """Return what else to know about a refused call to this machine from a public page; None
    for any other call."""
    if verdict.allowed or verdict.browser_error is None:
        return None
    asks = any(name.lower() == b"access-control-request-private-network" for name, _ in fields)
    refuses_origin = verdict.code in ORIGIN_REFUSED
    if asks or (refuses_origin and meets_local_network_access(policy, verdict.subject)):
        return LOCAL_NETWORK_ACCESS
    return None
