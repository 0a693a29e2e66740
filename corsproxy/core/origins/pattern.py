"""One entry of an allowlist, parsed, and the refusal of one that cannot be used."""

from enum import StrEnum
from typing import Final, NamedTuple

from corsproxy.core.origins.hosts import is_loopback, is_public_suffix
from corsproxy.core.source import DEFAULT, Source


class PatternKind(StrEnum):
    """What an entry names. Only `http` and `https` have the kinds with wildcards."""

    ANY = "any"  # "*"
    NULL = "null"  # the opaque origin
    EXACT = "exact"  # one origin
    ANY_PORT = "any-port"  # http://localhost:*
    SUBDOMAINS = "subdomains"  # https://*.example.com: one or more labels, not the apex
    LABEL = "label"  # https://pr-*.example.com: one label


# In Python 3.11, naming a member through its class is a call: for a long list, it adds up.
ANY: Final = PatternKind.ANY
NULL: Final = PatternKind.NULL
EXACT: Final = PatternKind.EXACT


class OriginPatternError(ValueError):
    """An entry of an allowlist that cannot be used.

    `reason` is a stable word, `message` one sentence for people that never repeats
    the entry, and `suggestion` an entry that would be accepted, or None.
    """

    def __init__(self, reason: str, message: str, suggestion: str | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.suggestion = suggestion


class OriginPattern(NamedTuple):
    """An entry of `allow_origins`. Made by `parse_origin_pattern`."""

    text: str
    """As written."""
    source: Source = DEFAULT
    kind: PatternKind = EXACT
    scheme: str = ""
    host: str = ""
    """The host; what follows the leftmost label for SUBDOMAINS and LABEL. IPv6 addresses
    are in brackets."""
    port: int | None = None
    """None is the scheme's default port."""
    any_port: bool = False
    """`:*`; possible with ANY_PORT (always), SUBDOMAINS and LABEL."""
    prefix: str = ""
    """LABEL only: what precedes the `*` in the leftmost label."""
    suffix: str = ""
    """LABEL only: what follows it."""
    until: str | None = None
    """The last day on which it allows anything, as YYYY-MM-DD in UTC; None: no end."""
    reason: str = ""
    """Why it is there, in the words of the file."""

    def __str__(self) -> str:
        return self.text

    @property
    def is_any(self) -> bool:
        return self.kind is ANY

    @property
    def is_null(self) -> bool:
        return self.kind is NULL

    @property
    def is_exact(self) -> bool:
        """Whether it names one tuple origin."""
        return self.kind is EXACT

    @property
    def is_loopback(self) -> bool:
        """Whether it names only pages that this machine serves."""
        return is_loopback(self.host)

    @property
    def is_insecure(self) -> bool:
        """Whether an attacker on the network could impersonate it: plain http."""
        return self.scheme == "http" and not self.is_loopback

    @property
    def over_public_suffix(self) -> bool:
        """Whether its `*` stands where strangers can get a name of their own."""
        return self.kind in (PatternKind.SUBDOMAINS, PatternKind.LABEL) and is_public_suffix(
            self.host
        )
