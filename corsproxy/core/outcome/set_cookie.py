"""What becomes of the cookies of a response: stored or rejected, and whether they come back.

RFC 6265bis, 5.7, as Chromium has it; the reasons have Chromium's names (CDP,
Network.SetCookieBlockedReason). What is asked is whether a cookie comes back with the calls
of a page of the same origin, not whether one page or another has it already.
"""

import re
from typing import Final, NamedTuple

from corsproxy.core.messages import Fields
from corsproxy.core.origins.hosts import is_ipv4, is_loopback
from corsproxy.core.outcome.call import Call, Mode

_OWS: Final = b" \t"
_MOST_BYTES: Final = 4096
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_LONG_AGO: Final = re.compile(rb"\b(?:1[0-9]{3}|[7-9][0-9])\b[^-]*:")
_UNSPECIFIED: Final = "UnspecifiedTreatedAsLax"


class CookieFate(NamedTuple):
    """What becomes of one Set-Cookie line."""

    name: str
    reason: str | None = None
    """Chromium's name for why it is rejected; None where it is stored."""
    deletes: bool = False
    """Whether it only deletes a cookie."""
    path: str = "/"
    """The path under which it comes back."""
    needs_credentials: bool = False
    """Whether the line counts only if the call was made with credentials, which the request
    did not show."""

    @property
    def is_of_other_site(self) -> bool:
        """Whether it was rejected because page and proxy are different sites."""
        return self.reason is not None and "SameSite" in self.reason and "None" not in self.reason


def cookie_fates(call: Call, target: bytes, fields: Fields) -> list[CookieFate]:
    """Return what becomes of the Set-Cookie lines among the response's `fields`, in order.
    `target` is the request's."""
    lines = [value for name, value in fields if name.lower() == b"set-cookie"]
    return [_fate(call, target, line) for line in lines]


def _fate(call: Call, target: bytes, line: bytes) -> CookieFate:
    pair, *rest = line.split(b";")
    name, equals, value = pair.partition(b"=")
    name, value = (name.strip(_OWS), value.strip(_OWS)) if equals else (b"", name.strip(_OWS))
    attributes = _attributes(rest)
    path = attributes.get(b"path", b"")
    return CookieFate(
        name.decode("latin-1"),
        _malformed(line, name, value) or _rejected(call, name or value, attributes),
        _deletes(attributes),
        (path if path.startswith(b"/") else _directory(target)).decode("latin-1"),
        call.is_cross_origin and call.mode is Mode.CORS and not call.credentials,
    )


def _attributes(parts: list[bytes]) -> dict[bytes, bytes]:
    """Return the attributes by lower-case name; the last of a name counts."""
    found: dict[bytes, bytes] = {}
    for part in parts:
        name, _, value = part.partition(b"=")
        found[name.strip(_OWS).lower()] = value.strip(_OWS)
    return found


def _malformed(line: bytes, name: bytes, value: bytes) -> str | None:
    if _CONTROL.search(line) is not None:
        return "DisallowedCharacter"
    if not name and not value:
        return "NoCookieContent"
    return "NameValuePairExceedsMaxSize" if len(name) + len(value) > _MOST_BYTES else None


def _rejected(call: Call, name: bytes, attributes: dict[bytes, bytes]) -> str | None:
    """Like Chromium, look at the cookie itself first, and then at who sets it."""
    secure = b"secure" in attributes
    own_scheme, _, authority = call.own.decode("latin-1").partition("://")
    host = _host(authority)
    domain = attributes.get(b"domain", b"").lower().removeprefix(b".").decode("latin-1")
    if domain and not _matches(host, domain):
        return "InvalidDomain"
    if not _keeps_promise(name.lower(), attributes, secure=secure):
        return "InvalidPrefix"
    if b"partitioned" in attributes and not secure:
        return "InvalidPartitioned"
    same_site = attributes.get(b"samesite", b"").lower()
    if secure and own_scheme == "http" and not is_loopback(host):
        return "SecureOnly"
    if same_site == b"none":
        return None if secure else "SameSiteNoneInsecure"
    if not call.is_cross_origin or not _is_cross_site(call, host):
        return None
    rule = {b"lax": "Lax", b"strict": "Strict"}.get(same_site, _UNSPECIFIED)
    return f"SchemefulSameSite{rule}" if _differs_in_scheme(call) else f"SameSite{rule}"


def _keeps_promise(name: bytes, attributes: dict[bytes, bytes], *, secure: bool) -> bool:
    """RFC 6265bis, 4.1.3: what the prefix of a name promises."""
    http_only = b"httponly" in attributes
    is_host = attributes.get(b"path") == b"/" and not attributes.get(b"domain")
    if name.startswith(b"__host-http-"):
        return secure and http_only and is_host
    if name.startswith(b"__host-"):
        return secure and is_host
    if name.startswith(b"__http-"):
        return secure and http_only
    return secure or not name.startswith(b"__secure-")


def _is_cross_site(call: Call, host: str) -> bool:
    if call.site is not None:
        return call.site == b"cross-site"
    scheme, _, authority = (call.origin or b"").decode("latin-1").partition("://")
    return _host(authority) != host or not call.own.startswith(scheme.encode("latin-1") + b":")


def _differs_in_scheme(call: Call) -> bool:
    """Whether page and proxy are of one host, and only their schemes keep them apart."""
    return differences(call) == ("scheme",)


def differences(call: Call) -> tuple[str, ...]:
    """Return what makes the page and this proxy two sites: `scheme`, `host`, both or neither.
    Empty if the page is not known."""
    if call.origin is None:
        return ()
    page, own = (each.decode("latin-1").partition("://") for each in (call.origin, call.own))
    scheme = () if page[0] == own[0] else ("scheme",)
    return scheme if _host(page[2]) == _host(own[2]) else (*scheme, "host")


def _host(authority: str) -> str:
    return authority if authority.endswith("]") else authority.rpartition(":")[0] or authority


def _matches(host: str, domain: str) -> bool:
    """RFC 6265bis, 5.1.3; a name of one label has no subdomains here."""
    if host == domain:
        return True
    return "." in domain and host.endswith(f".{domain}") and not is_ipv4(host)


def _deletes(attributes: dict[bytes, bytes]) -> bool:
    age = attributes.get(b"max-age")
    if age is not None:
        return age.startswith(b"-") or (age.isdigit() and int(age[:9]) == 0)
    return _LONG_AGO.search(attributes.get(b"expires", b"")) is not None


def _directory(target: bytes) -> bytes:
    """RFC 6265bis, 5.1.4, "default-path"."""
    return target.partition(b"?")[0].rpartition(b"/")[0] or b"/"
