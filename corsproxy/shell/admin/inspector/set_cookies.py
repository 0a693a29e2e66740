"""What becomes of a cookie that the upstream sets: what the proxy changed, and what the
browser will do with it.

By the rules of RFC 6265bis, as far as two heads tell; whether a person has switched
cookies off, they do not.
"""

from collections.abc import Sequence

from corsproxy.shell.admin.inspector.exchanges import Exchange
from corsproxy.shell.admin.inspector.rows import Json


def about_set_cookie(line: str, after: Sequence[str], exchange: Exchange) -> Json:
    """Return what there is to say about `line`, which the upstream sent; `after` are the lines
    that the browser got."""
    name = name_of(line)
    got = next((each for each in after if name_of(each) == name), None)
    if got is None:
        return {"name": name, "before": line, "remarks": ["removed by this proxy"]}
    remarks = [*_changes(line, got), *_consequences(got, exchange)]
    return {"name": name, "before": line, "after": got, "remarks": remarks}


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
            remarks.append(f"{_spelt(name, old[name])} was taken out")
        elif name not in old:
            remarks.append(f"{_spelt(name, new[name])} was added")
        elif old[name] != new[name]:
            remarks.append(f"{_spelt(name, old[name])} became {_spelt(name, new[name])}")
    return remarks


def _spelt(name: str, value: str) -> str:
    shown = {"samesite": "SameSite", "httponly": "HttpOnly", "max-age": "Max-Age"}
    spelling = shown.get(name, name.capitalize())
    return f"{spelling}={value}" if value else spelling


def _consequences(line: str, exchange: Exchange) -> list[str]:
    attributes = _attributes(line)
    is_secure, site = "secure" in attributes, exchange.value(b"sec-fetch-site")
    same_site = attributes.get("samesite", "").lower()
    name = name_of(line)
    remarks = []
    if name.startswith("__Secure-") and not is_secure:
        remarks.append("refused by the browser: the name's prefix __Secure- demands Secure")
    if name.startswith("__Host-") and ("domain" in attributes or attributes.get("path") != "/"):
        remarks.append("refused by the browser: __Host- demands Path=/ and no Domain")
    if same_site == "none" and not is_secure:
        remarks.append("refused by the browser: SameSite=None demands Secure")
    if site == b"cross-site" and same_site in ("", "lax", "strict"):
        shown = same_site.capitalize() or "Lax, the default,"
        remarks.append(
            f"the browser does not store it from this call: page and proxy are different sites,"
            f" and SameSite={shown} wants one"
        )
    if attributes.get("max-age", "1").startswith(("-", "0")):
        remarks.append("deletes the cookie")
    return remarks
