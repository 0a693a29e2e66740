"""What becomes of a cookie that the upstream sets: the proxy's changes, and what the browser
does with it.

Known only from the two heads: they do not show whether the user has disabled cookies.
"""

from collections.abc import Sequence

from corsproxy.core.outcome.set_cookie import CookieFate, cookie_fates
from corsproxy.shell.admin.inspector.exchanges import Exchange
from corsproxy.shell.admin.inspector.rows import Json, call_of


def about_set_cookies(
    before: Sequence[str], after: Sequence[str], exchange: Exchange
) -> list[Json]:
    """Return remarks on each line that the upstream sent, in `before`; `after` are the lines
    that the browser got, and may show marks in place of values."""
    fates = _fates(exchange)
    found: list[Json] = []
    for line in before:
        name = name_of(line)
        at = next((at for at, each in enumerate(after) if name_of(each) == name), None)
        if at is None:
            remarks = ["removed by this proxy"]
        else:
            fate = fates[at] if at < len(fates) else None
            remarks = [*_changes(line, after[at]), *_consequences(fate)]
        found.append({"name": name, "remarks": remarks})
    return found


def _fates(exchange: Exchange) -> list[CookieFate]:
    call, head = call_of(exchange), exchange.client_head
    if call is None or head is None:
        return []
    return cookie_fates(call, exchange.request.target, head.fields)


def name_of(line: str) -> str:
    return line.partition(";")[0].partition("=")[0].strip()


def _attributes(line: str) -> dict[str, str]:
    """The attributes by their names in lower case; the last of each counts."""
    found = {}
    for part in line.split(";")[1:]:
        name, _, value = part.partition("=")
        found[name.strip().lower()] = value.strip()
    return found


def _changes(before: str, after: str) -> list[str]:
    old, new = _attributes(before), _attributes(after)
    remarks = []
    for name in [*old, *(each for each in new if each not in old)]:
        if name not in new:
            remarks.append(f"{_spelt(name, old[name])} was removed")
        elif name not in old:
            remarks.append(f"{_spelt(name, new[name])} was added")
        elif old[name] != new[name]:
            remarks.append(f"{_spelt(name, old[name])} became {_spelt(name, new[name])}")
    return remarks


def _spelt(name: str, value: str) -> str:
    shown = {"samesite": "SameSite", "httponly": "HttpOnly", "max-age": "Max-Age"}
    spelling = shown.get(name, name.capitalize())
    return f"{spelling}={value}" if value else spelling


_REASONS = {
    "SecureOnly": "Secure, but the connection is not",
    "SameSiteStrict": "SameSite=Strict, and page and proxy are different sites",
    "SameSiteLax": "SameSite=Lax, and page and proxy are different sites",
    "SameSiteUnspecifiedTreatedAsLax": "no SameSite means Lax, and page and proxy are different"
    " sites",
    "SameSiteNoneInsecure": "SameSite=None requires Secure",
    "InvalidDomain": "its Domain is that of another host",
    "InvalidPrefix": "the prefix of its name requires Secure, and __Host- also Path=/ and no"
    " Domain",
    "DisallowedCharacter": "it contains a control character",
    "NameValuePairExceedsMaxSize": "it is too long",
}


def _consequences(fate: CookieFate | None) -> list[str]:
    if fate is None:
        return []
    if fate.reason is not None:
        why = _REASONS.get(fate.reason)
        told = fate.reason if why is None else f"{fate.reason}: {why}"
        return [f"the browser rejects it ({told})"]
    remarks = ["deletes the cookie"] if fate.deletes else []
    if fate.needs_credentials:
        remarks.append("ignored unless the script asked for credentials")
    if fate.path != "/":
        remarks.append(f"is sent back only under {fate.path}")
    return remarks
