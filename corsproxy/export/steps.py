"""What to do with a request, in order: the first step that matches decides.

This is `core.decision.decide`, unrolled: for a route's policy, every kind of request that it
distinguishes, each with its response or the instruction to forward.
"""

from enum import Enum
from typing import Final, NamedTuple

from corsproxy.core.cors import PREFLIGHT_VARY
from corsproxy.core.fields import CORS_SAFELISTED_REQUEST_HEADERS
from corsproxy.core.methods import FORWARDED_METHODS
from corsproxy.core.policy import CorsRules


class Asker(Enum):
    """Who asks, by the Origin field."""

    ALLOWED = "an origin of the list"
    ABSENT = "no Origin"
    SAME = "a page of this host"
    REST = "everybody else"


class Echo(Enum):
    """A field value that depends on the request."""

    ORIGIN = "the Origin field"
    NAMES = "Access-Control-Request-Headers"
    LISTED = "the list, plus the safelisted names that are asked for"
    PRESENT = "the names of the response's own fields"


ASKERS: Final = {
    Asker.ALLOWED: "allowed",
    Asker.ABSENT: "absent",
    Asker.SAME: "same",
    Asker.REST: "[a-z]+",
}
"""The words for askers in maps, as expressions."""

TEXTS: Final = {
    400: "The path of this request can be read in two ways.",
    403: "The origin of this page is not allowed.",
    404: "No route takes this path.",
    405: "This method is never forwarded.",
    421: "This name is not one of the proxy's allowed_hosts.",
    501: "This method is not known.",
}
"""What a refusal says, by its status."""

Value = str | Echo
Fields = tuple[tuple[str, Value], ...]


class Step(NamedTuple):
    """A kind of request, and what to do with it."""

    asker: Asker
    preflight: bool = False
    fits: bool = False
    """Preflights: only those whose method and headers are all allowed."""
    upgrade: bool = False
    """Only handshakes, such as a WebSocket's."""
    status: int | None = None
    """The status of the response; None forwards."""
    fields: Fields = ()
    """The grant, without Vary."""
    vary: str = ""
    """What Vary must list, merged with what it lists already."""
    vouched: bool = True
    """Forwarding: whether the upstream may be told that the page is its own."""


SAFELISTED: Final = tuple(name.decode("ascii") for name in sorted(CORS_SAFELISTED_REQUEST_HEADERS))
"""Names that browsers ask for only if their values are unusual."""
ORIGIN_ONLY: Final = "Origin"
"""What answers vary by, except those to preflights."""
PREFLIGHT: Final = PREFLIGHT_VARY[1].decode("ascii")
"""What answers to preflights vary by."""


def steps(rules: CorsRules) -> tuple[Step, ...]:
    """Return the steps for the requests that a route with these rules takes."""
    if rules.origins.any is not None:
        return (
            *_preflights(rules, Asker.REST, ""),
            Step(Asker.ABSENT, fields=actual_grant(rules)),
            Step(Asker.REST, fields=actual_grant(rules)),
        )
    return (
        *_preflights(rules, Asker.ALLOWED, PREFLIGHT),
        Step(Asker.REST, preflight=True, status=403, vary=PREFLIGHT),
        Step(Asker.ALLOWED, fields=actual_grant(rules), vary=ORIGIN_ONLY),
        Step(Asker.ABSENT, vary=ORIGIN_ONLY),
        Step(Asker.SAME, vary=ORIGIN_ONLY),
        *_others(rules),
    )


def preflight_steps(rules: CorsRules) -> tuple[Step, ...]:
    """Return the steps for the preflights alone."""
    return tuple(step for step in steps(rules) if step.preflight)


def refusal(rules: CorsRules, status: int) -> tuple[Step, ...]:
    """Return the steps of a refusal that is not about CORS: the page may read it."""
    if rules.origins.any is not None:
        return (Step(Asker.REST, status=status, fields=actual_grant(rules)),)
    return (
        Step(Asker.ALLOWED, status=status, fields=actual_grant(rules), vary=ORIGIN_ONLY),
        Step(Asker.REST, status=status, vary=ORIGIN_ONLY),
    )


def _preflights(rules: CorsRules, asker: Asker, vary: str) -> tuple[Step, ...]:
    fields = _preflight_grant(rules)
    refused = Step(asker, True, status=204, fields=fields, vary=vary)
    if rules.max_age is None:
        return (refused,)
    age = ("Access-Control-Max-Age", str(rules.max_age))
    return (refused._replace(fits=True, fields=(*fields, age)), refused)


def _others(rules: CorsRules) -> tuple[Step, ...]:
    refused = Step(Asker.REST, status=403, vary=ORIGIN_ONLY)
    if rules.unlisted_origins == "block":
        return (refused,)
    return (
        refused._replace(upgrade=True),
        Step(Asker.REST, vary=ORIGIN_ONLY, vouched=False),
    )


def _origin_granted(rules: CorsRules) -> Fields:
    value: Value = Echo.ORIGIN if rules.origins.any is None else "*"
    fields: Fields = (("Access-Control-Allow-Origin", value),)
    if rules.credentials:
        fields += (("Access-Control-Allow-Credentials", "true"),)
    return fields


def actual_grant(rules: CorsRules) -> Fields:
    """Return the grant of an actual response."""
    fields = _origin_granted(rules)
    exposed = rules.expose_headers
    if exposed.any:
        # Without credentials browsers read "*" as every name (Fetch).
        return (*fields, ("Access-Control-Expose-Headers", Echo.PRESENT))
    if exposed.names:
        return (*fields, ("Access-Control-Expose-Headers", ", ".join(exposed.names)))
    return fields


def _preflight_grant(rules: CorsRules) -> Fields:
    fields = _origin_granted(rules)
    methods = allow_methods(rules)
    if methods:
        fields += (("Access-Control-Allow-Methods", methods),)
    headers = Echo.NAMES if rules.request_headers.any else Echo.LISTED
    return (*fields, ("Access-Control-Allow-Headers", headers))


def allow_methods(rules: CorsRules) -> str:
    """Return Access-Control-Allow-Methods; `"*"` is spelt out, as credentials need."""
    names = sorted(FORWARDED_METHODS) if rules.methods.any else rules.methods.names
    return ", ".join(names)


def unlisted_safelisted(rules: CorsRules) -> list[str]:
    """Return the safelisted names that are not in the list: allowed, and told if asked for."""
    return [name for name in SAFELISTED if name not in rules.request_headers.names]


def allow_headers(rules: CorsRules) -> str:
    """Return the configured names of Access-Control-Allow-Headers."""
    return ", ".join(rules.request_headers.names)
