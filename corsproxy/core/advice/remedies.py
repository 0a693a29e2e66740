"""The smallest change that would allow what a verdict refused, and how to make it.

The body of an error, the terminal, `corsproxy explain` and `corsproxy allow` all read
the same `Remedy`, so that none of them proposes what another would not.
"""

import re
import shlex
from collections.abc import Iterator, Sequence
from typing import Final, Literal, NamedTuple

from corsproxy.core.cors import refused_headers
from corsproxy.core.fields import (
    CORS_FIELD_PREFIX,
    is_forbidden_request_header,
    is_token,
)
from corsproxy.core.methods import FORWARDED_METHODS
from corsproxy.core.origins import parse_origin
from corsproxy.core.origins.hosts import ends_in_number
from corsproxy.core.policy import CorsRules, Listed, Policy
from corsproxy.core.source import ARGUMENTS, DEFAULT_FILE, Source
from corsproxy.core.verdicts import Code, Kind, Verdict

RemedyKey = Literal[
    "allow_origins",
    "allow_methods",
    "allow_headers",
    "expose_headers",
    "allow_credentials",
    "allowed_hosts",
]

KINDS: dict[RemedyKey, str] = {
    "allow_origins": "origin",
    "allow_methods": "method",
    "allow_headers": "header",
    "expose_headers": "expose",
    "allow_credentials": "credentials",
    "allowed_hosts": "host",
}
"""What `corsproxy allow` calls an entry under each key."""

LISTS: Final[dict[RemedyKey, str]] = {
    "allow_methods": "methods",
    "allow_headers": "request_headers",
    "expose_headers": "expose_headers",
}
"""The keys of lists of names, with the fields of `CorsRules` that hold them."""


def split_values(key: RemedyKey, value: str) -> list[str]:
    """Return the values that `value` stands for: several names may be one remedy."""
    return value.split(", ") if key in ("allow_headers", "expose_headers") else [value]


class Remedy(NamedTuple):
    """One value to add under one key, or several names of headers."""

    key: RemedyKey
    value: str
    """Names are separated as in a header's list: `x-a, x-b`."""
    at: Source
    """The list, or the mapping that lacks the key."""
    route: str | None = None
    """The route whose own list it is; None where the one list to change is the default's,
    or that of the only route."""

    @property
    def in_file(self) -> bool:
        """Whether there is a file that the value can be written into."""
        return self.at.line > 0 and self.at.name != ARGUMENTS

    @property
    def is_flag(self) -> bool:
        """Whether the value is added on the command line."""
        return self.at.name.startswith("--")

    @property
    def sentence(self) -> str:
        """What to do, in words."""
        if self.is_flag:
            return f"start corsproxy with {self.at.name} {shlex.quote(self.value)}"
        if self.at.name == ARGUMENTS:
            return f'pass "{self.value}" in `{self.key}` to proxy_app'
        if not self.in_file:
            return f'`{self.key}` needs a file: run corsproxy init, and add "{self.value}" there'
        if self.key == "allow_credentials":
            return f"set allow_credentials: true ({self.at})"
        return f"add {self.addition} ({self.at})"

    @property
    def addition(self) -> str:
        """What is added to which list."""
        values = ", ".join(f'"{value}"' for value in self.values)
        return f"{values} to {self.key}"

    @property
    def words(self) -> str:
        """What would be allowed, in short."""
        kind = KINDS[self.key]
        return kind if self.key == "allow_credentials" else f"{kind} {self.value}"

    @property
    def values(self) -> list[str]:
        return split_values(self.key, self.value)

    @property
    def instruction(self) -> str:
        """The command to run, or the sentence where there is none."""
        command = self.command
        return f"{self.sentence}." if command is None else f"run: {command}"

    @property
    def command(self) -> str | None:
        """The command that makes the change, for a POSIX shell in the directory in which the
        proxy was started; None without a file."""
        return self.command_in(self.at.name) if self.in_file else None

    def command_in(self, file: str) -> str:
        """Return the command that makes the change in `file`."""
        words = ["corsproxy", "allow", KINDS[self.key]]
        value = [] if self.key == "allow_credentials" else self.values
        options = []
        if file != DEFAULT_FILE:
            options += ["-c", file]
        if self.route is not None:
            options += ["--route", self.route]
        # A token may begin with a hyphen, and would be taken for an option.
        dashed = any(each.startswith("-") for each in self.values)
        words += [*options, "--", *value] if dashed else [*value, *options]
        return shlex.join(words)


# Labels of host names; addresses are always allowed, except for two that never are.
_HOST_NAME = re.compile(r"(?=.{1,253}$)(?:[a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}")

KEYS: Final[dict[Code, RemedyKey]] = {
    Code.ORIGIN_NOT_ALLOWED: "allow_origins",
    Code.ORIGIN_FORWARDED: "allow_origins",
    Code.METHOD_NOT_ALLOWED: "allow_methods",
    Code.HEADER_NOT_ALLOWED: "allow_headers",
    Code.CREDENTIALS_NOT_ALLOWED: "allow_credentials",
    Code.HOST_NOT_ALLOWED: "allowed_hosts",
}
"""Where an entry may lift a refusal."""

MENDABLE = frozenset(KEYS)
"""The codes of refusals that an entry of the allowlist may lift."""


def is_mendable(verdict: Verdict) -> bool:
    """Whether an entry of the allowlist would lift a refusal: none would for the origin `null`."""
    key = KEYS.get(verdict.code)
    return key is not None and _is_grantable(key, verdict.subject)


def remedy_for(verdict: Verdict, policy: Policy) -> Remedy | None:
    """Return the one change to the allowlist that would allow what `verdict`, a decision
    under `policy`, refused.

    None where no entry can: the request was malformed, no route takes its path, the
    upstream failed, its method would be refused all the same, or its origin is `null`,
    which any page can send.
    """
    key = KEYS.get(verdict.code)
    if key is None or verdict.at is None or not verdict.subject:
        return None
    if not _is_grantable(key, verdict.subject):
        return None
    if key == "allowed_hosts":
        return Remedy(key, verdict.subject, verdict.at)
    if verdict.route is None:
        return None
    value = "true" if key == "allow_credentials" else verdict.subject
    return Remedy(key, value, verdict.at, _owner(verdict, policy, key))


def remedies_for(
    verdict: Verdict, policy: Policy, method: bytes = b"", headers: Sequence[bytes] = ()
) -> list[Remedy]:
    """Return every change that a refused preflight needs: what it is refused for first, the
    origin or the method, hides that the `headers` which it asks for would be refused next."""
    remedy = remedy_for(verdict, policy)
    if remedy is None:
        return []
    rules = next((each.cors for each in policy.routes if each.name == verdict.route), None)
    if verdict.kind is not Kind.PREFLIGHT or not isinstance(rules, CorsRules):
        return [remedy]
    found = {remedy.key: remedy}
    for refused in _refused_later(verdict, rules, method, headers):
        more = remedy_for(refused, policy)
        if more is not None:
            found.setdefault(more.key, more)
    return list(found.values())


def _refused_later(
    verdict: Verdict, rules: CorsRules, method: bytes, headers: Sequence[bytes]
) -> Iterator[Verdict]:
    """Yield what a preflight would be refused for, were the origin allowed."""
    if method and method not in rules.allowed_methods:
        subject, at = method.decode("ascii", "replace"), rules.methods.source
        yield verdict.replace(code=Code.METHOD_NOT_ALLOWED, at=at, subject=subject)
    names = refused_headers(rules, list(dict.fromkeys(name.lower() for name in headers)))
    if names:
        subject, at = b", ".join(names).decode("ascii", "replace"), rules.request_headers.source
        yield verdict.replace(code=Code.HEADER_NOT_ALLOWED, at=at, subject=subject)


def sentence_of(remedies: Sequence[Remedy]) -> str:
    """Return what to do, for people: all of the changes in one sentence."""
    if len(remedies) == 1:
        return remedies[0].sentence
    places = {str(remedy.at) for remedy in remedies}
    parts = [
        remedy.addition if len(places) == 1 else f"{remedy.addition} ({remedy.at})"
        for remedy in remedies
    ]
    text = f"add {', '.join(parts[:-1])} and {parts[-1]}"
    return f"{text} ({places.pop()})" if len(places) == 1 else text


def command_of(remedies: Sequence[Remedy]) -> str | None:
    """Return the command line that makes all of the changes; None where there is none."""
    commands = [remedy.command for remedy in remedies if remedy.command is not None]
    return " && ".join(commands) or None


def remedy_under(
    key: RemedyKey, values: Sequence[str], verdict: Verdict, policy: Policy, rules: CorsRules
) -> Remedy:
    """Return the change that adds values under a key of the rules of the verdict's route."""
    at = list_source(rules, key)
    return Remedy(key, ", ".join(values), at, _owner(verdict.replace(at=at), policy, key))


def credentials_remedy(verdict: Verdict, policy: Policy, rules: CorsRules) -> Remedy:
    """Return the change that lets the pages of a route call with credentials."""
    return remedy_under("allow_credentials", ("true",), verdict, policy, rules)


def _is_grantable(key: RemedyKey, subject: str) -> bool:
    """Whether the value may be in the list at all, and would have an effect there."""
    match key:
        case "allow_origins":
            return parse_origin(subject.encode("utf-8")) is not None
        case "allow_methods":
            return subject in FORWARDED_METHODS
        case "allow_headers":
            names = split_values(key, subject)
            return all(_is_request_header(name.lower().encode("utf-8")) for name in names)
        case "allowed_hosts":
            name = subject.removesuffix(".")
            return _HOST_NAME.fullmatch(name) is not None and not ends_in_number(name)
        case _:
            return True


def _is_request_header(name: bytes) -> bool:
    """Whether a script can set a field of that name, and may need permission for it."""
    if not is_token(name) or b"*" in name or name.startswith(CORS_FIELD_PREFIX):
        return False
    return not is_forbidden_request_header(name)


def _owner(verdict: Verdict, policy: Policy, key: RemedyKey) -> str | None:
    """Return the route to name; None where it inherits the list from the default."""
    if len(policy.routes) == 1 or verdict.at == list_source(policy.default_cors, key):
        return None
    return verdict.route


def list_source(rules: CorsRules, key: RemedyKey) -> Source:
    """Return where the list is written; two rules with one source share it."""
    if key in LISTS:
        return listed_under(rules, key).source
    return rules.origins.source if key == "allow_origins" else rules.credentials_source


def listed_under(rules: CorsRules, key: RemedyKey) -> Listed:
    """Return the list of names under a key of LISTS."""
    found: Listed = getattr(rules, LISTS[key])
    return found
