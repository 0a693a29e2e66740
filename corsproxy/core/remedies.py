"""The smallest change that would allow what a verdict refused, and its sentence.

The body of an error, the terminal, `corsproxy explain` and `corsproxy allow` all read
the same `Remedy`, so that none of them proposes what another would not.
"""

from typing import Literal, NamedTuple

from corsproxy.core.fields import FORBIDDEN_METHODS, is_token
from corsproxy.core.origins import near_misses, parse_origin
from corsproxy.core.policy import CorsRules
from corsproxy.core.source import Source
from corsproxy.core.verdicts import Code, Verdict

RemedyKey = Literal[
    "allow_origins", "allow_methods", "allow_headers", "allow_credentials", "allowed_hosts"
]


class Remedy(NamedTuple):
    """One value to add under one key."""

    key: RemedyKey
    value: str
    at: Source
    """The list, or the mapping that lacks the key."""

    @property
    def sentence(self) -> str:
        """What to do, for people."""
        if self.at.name.startswith("--"):
            return f"start corsproxy with {self.at.name} {self.value}"
        if not self.at.line:
            return f'`{self.key}` needs a file: run corsproxy init, and add "{self.value}" there'
        if self.key == "allow_credentials":
            return f"set allow_credentials: true ({self.at})"
        return f'add "{self.value}" to {self.key} ({self.at})'


_KEYS: dict[Code, RemedyKey] = {
    Code.ORIGIN_NOT_ALLOWED: "allow_origins",
    Code.ORIGIN_FORWARDED: "allow_origins",
    Code.METHOD_NOT_ALLOWED: "allow_methods",
    Code.HEADER_NOT_ALLOWED: "allow_headers",
    Code.CREDENTIALS_NOT_ALLOWED: "allow_credentials",
    Code.HOST_NOT_ALLOWED: "allowed_hosts",
}


def remedy_for(verdict: Verdict) -> Remedy | None:
    """Return the one change to the allowlist that would allow what `verdict` refused.

    None where no entry can: the request was malformed, the upstream failed, or the
    origin is `null`, which anybody can send.
    """
    key = _KEYS.get(verdict.code)
    if key is None or verdict.at is None or not verdict.subject:
        return None
    if key == "allow_origins" and parse_origin(verdict.subject.encode("utf-8")) is None:
        return None
    if key == "allowed_hosts" and verdict.subject in ("0.0.0.0", "[::]"):  # noqa: S104
        return None
    if key in ("allow_methods", "allow_headers") and not is_grantable(verdict.subject):
        return None
    value = "true" if key == "allow_credentials" else verdict.subject
    return Remedy(key, value, verdict.at)


def is_grantable(name: str) -> bool:
    """Whether a method or header name may stand in a list at all."""
    return is_token(name.encode("utf-8")) and name.upper() not in FORBIDDEN_METHODS


def hint_for(verdict: Verdict, rules: CorsRules) -> str | None:
    """Return what to do about a refusal, in one or two sentences; None where nothing helps.

    Near misses come first: mostly the allowlist is right but for a port or a "www.".
    """
    remedy = remedy_for(verdict)
    if verdict.code not in (Code.ORIGIN_NOT_ALLOWED, Code.ORIGIN_FORWARDED):
        return None if remedy is None else f"{_capital(remedy.sentence)}."
    if not verdict.subject:
        return "The Origin of the request is not one well-formed origin; browsers send no other."
    if verdict.subject == "null":
        return (
            "The page has the opaque origin null (a sandboxed frame, a data: or file: page, "
            "or a redirect between origins): serve it from a real origin instead."
        )
    sentences = [miss.sentence for miss in near_misses(verdict.subject.encode(), rules.origins)[:1]]
    if remedy is not None:
        sentences.append(f"{remedy.sentence}")
    if not sentences:
        return None
    return " ".join(f"{_capital(sentence.rstrip('.'))}." for sentence in sentences)


def _capital(sentence: str) -> str:
    """Begin with a capital, unless the sentence begins with an origin."""
    if "://" in sentence.partition(" ")[0]:
        return sentence
    return sentence[:1].upper() + sentence[1:]
