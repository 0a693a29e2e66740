"""The browser's call behind a request, as far as the request tells.

Browsers say most of it in Fetch Metadata (`Sec-Fetch-Mode`, `Sec-Fetch-Site`), which no
script can set. They do not send these to plain http beyond loopback; there an Origin is taken
for a cors-mode call, as nearly all of them are. Nothing says whether the script asked for
credentials, but a cookie on a cross-origin call proves it.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from corsproxy.core.fields import managed_names, partition, split_list
from corsproxy.core.messages import RequestHead
from corsproxy.core.request_context import is_own

_READ: Final = managed_names(
    frozenset(
        {
            b"access-control-request-headers", b"access-control-request-method", b"cookie",
            b"origin", b"referer", b"sec-fetch-mode", b"sec-fetch-site", b"sec-websocket-key",
        }
    )
)  # fmt: skip


class Mode(StrEnum):
    """What kind of request it is to the browser (Fetch, "request mode")."""

    CORS = "cors"
    NO_CORS = "no-cors"
    PREFLIGHT = "preflight"
    WEBSOCKET = "websocket"


class Call:
    """A call that a page's script, or an element of the page, makes."""

    __slots__ = (
        "asked_headers", "asked_method", "credentials", "is_cross_origin", "mode", "origin", "own",
        "referer", "site",
    )  # fmt: skip

    def __init__(
        self,
        mode: Mode,
        own: bytes,
        *,
        origin: bytes | None = None,
        site: bytes | None = None,
        is_cross_origin: bool = True,
        credentials: bool = False,
        referer: bytes = b"",
        asked_method: bytes = b"",
        asked_headers: Sequence[bytes] = (),
    ) -> None:
        self.mode: Final = mode
        self.own: Final = own
        """The origin that the browser called: this proxy's."""
        self.origin: Final = origin
        """The page's; None where the request does not name it, as in no-cors GETs."""
        self.site: Final = site
        """How far away the page is, in the browser's words: `same-site` or `cross-site`;
        None where it does not say."""
        self.is_cross_origin: Final = is_cross_origin
        self.credentials: Final = credentials
        """Whether it is known that the script asked for credentials."""
        self.referer: Final = referer
        self.asked_method: Final = asked_method
        """What a preflight asks for."""
        self.asked_headers: Final = asked_headers


def read_call(
    request: RequestHead,
    authority: bytes,
    secure: bool,
    read: dict[bytes, list[bytes]] | None = None,
) -> Call | None:
    """Return the call behind `request`; None if no page made it: a navigation, or a
    client that is not a browser.

    `authority` is the host[:port] that the browser called, `secure` whether it did so by
    https. `read` are the fields that the decision has already read, by name.
    """
    found = read
    if found is None or b"upgrade" in found:
        found = partition(request.fields, _READ)[1]
    origins, sites = found.get(b"origin"), found.get(b"sec-fetch-site")
    if origins is None and sites is None:
        return None
    origin = None if origins is None else b", ".join(origins)
    mode = _mode(request.method, origin, found)
    if mode is None:
        return None
    return Call(
        mode,
        (b"https://" if secure else b"http://") + authority.lower(),
        origin=origin,
        site=None if sites is None else sites[0],
        is_cross_origin=is_cross_origin(found, origin, authority, secure),
        credentials=b"cookie" in found,
        referer=found.get(b"referer", [b""])[0],
        asked_method=found.get(b"access-control-request-method", [b""])[0],
        asked_headers=split_list(found.get(b"access-control-request-headers", ())),
    )


def is_cross_origin(
    found: dict[bytes, list[bytes]], origin: bytes | None, authority: bytes, secure: bool
) -> bool:
    """Whether a page of another origin makes the call, as `read_call` sees it."""
    sites = found.get(b"sec-fetch-site")
    if sites is not None:
        return sites[0] not in (b"same-origin", b"none")
    return origin is not None and not is_own(origin, authority, secure)


def _mode(method: str, origin: bytes | None, found: dict[bytes, list[bytes]]) -> Mode | None:
    if b"sec-websocket-key" in found:
        return None if origin is None else Mode.WEBSOCKET
    if method == "OPTIONS" and origin and b"access-control-request-method" in found:
        return Mode.PREFLIGHT
    modes = found.get(b"sec-fetch-mode")
    if modes is None or modes == [b"cors"]:
        return Mode.CORS if origin else None
    return Mode.NO_CORS if modes == [b"no-cors"] else None
