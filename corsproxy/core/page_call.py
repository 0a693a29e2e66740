"""A call that a script on a page makes, and what the browser adds to it."""

from typing import NamedTuple

from corsproxy.core.messages import Field
from corsproxy.core.methods import CORS_SAFELISTED_METHODS, NORMALIZED_METHODS


class PageCall(NamedTuple):
    """A call that a script on a page makes: `fetch(target, {method, headers, credentials})`."""

    origin: str
    target: str
    method: str = "GET"
    headers: tuple[str, ...] = ()
    """Names of the request headers that the script sets and that need permission."""
    credentials: bool = False
    """Whether the script says `credentials: "include"`."""
    same_origin: bool = False
    """Whether the page has the origin that it calls, so that CORS does not apply."""

    @property
    def needs_preflight(self) -> bool:
        """Fetch: an unsafe method, or a header that is not safelisted by its name."""
        if self.same_origin:
            return False
        return self.normalized_method not in CORS_SAFELISTED_METHODS or bool(self.asked_headers)

    @property
    def normalized_method(self) -> str:
        """The method as the browser sends it (Fetch, "normalize a method")."""
        upper = self.method.upper()
        return upper if upper in NORMALIZED_METHODS else self.method

    @property
    def asked_headers(self) -> tuple[str, ...]:
        """The names as Access-Control-Request-Headers has them: lower case, sorted, once."""
        return tuple(sorted({name.lower() for name in self.headers}))

    @property
    def preflight_fields(self) -> list[Field]:
        """The fields that make an OPTIONS request the preflight (Fetch, "CORS-preflight
        fetch"), without Origin."""
        method = self.normalized_method.encode("ascii")
        fields = [(b"Access-Control-Request-Method", method)]
        if self.asked_headers:
            names = ",".join(self.asked_headers).encode("ascii")
            fields.append((b"Access-Control-Request-Headers", names))
        return fields
