"""Reads `cors:` into `CorsRules`; what it does not set is inherited from the rules above it."""

from collections.abc import Collection
from dataclasses import replace
from functools import partial
from typing import Literal, NamedTuple

from corsproxy.config.dates import WARNING_DAYS, days_left, parse_day
from corsproxy.config.findings import Findings, Value
from corsproxy.config.members import CHECKS
from corsproxy.config.mistakes import BadValueError
from corsproxy.config.section import Section, as_section
from corsproxy.config.spelling import as_value, shown, with_space, without_bullet
from corsproxy.config.terms import likely_origin
from corsproxy.config.units import parse_duration
from corsproxy.config.yaml.nodes import Mapping, Node, Scalar, Sequence
from corsproxy.core.origins import (
    OriginPattern,
    OriginPatternError,
    OriginSet,
    parse_origin_pattern,
)
from corsproxy.core.policy import CorsRules, Listed, UnlistedOrigins
from corsproxy.core.source import Source

Passthrough = Literal["passthrough"]

NO_ORIGINS = CorsRules(OriginSet(()))
"""The rules of a file that has no `cors:`."""

_EXAMPLE = "{allow_origins: [http://localhost:5173]}"
_LONGEST_AGE = 2**31 - 1
_FIREFOX_MAX_AGE = 86400

_UNLISTED: dict[str, UnlistedOrigins] = {
    "deny": "block", "reject": "block", "refuse": "block", "true": "block", "403": "block",
    "allow": "forward", "pass": "forward", "ignore": "forward", "false": "forward",
}  # fmt: skip


def read_cors(
    findings: Findings, node: Node, path: str, above: CorsRules | Passthrough | None
) -> CorsRules | Passthrough:
    """Return what `node`, the value of a `cors:` key, says.

    `above` are the rules from which it inherits; None if `node` is the outermost one.
    """
    if isinstance(node, Scalar):
        value = findings.value(node, path)
        if value is not None and value.text == "passthrough":
            return "passthrough"
        if value is not None:
            _not_rules(findings, value, path)
        return NO_ORIGINS
    if isinstance(node, Sequence) and node.flow:
        likely = f"{{allow_origins: {findings.source_text.raw(node)}}}"
        message = f"`{path}` is a list, not a mapping of rules"
        findings.error("wrong-type", node, message, f"write {shown(likely)}", likely)
        return NO_ORIGINS
    section = as_section(findings, node, "cors", path, _EXAMPLE)
    if section is None:
        return NO_ORIGINS
    return _Rules(section, above).read()


def rules_without_origins(source: Source) -> CorsRules:
    """Return the rules that allow no origin; `source` is the mapping that lacks them all."""
    return CorsRules(
        OriginSet((), source),
        methods=replace(NO_ORIGINS.methods, source=source),
        request_headers=replace(NO_ORIGINS.request_headers, source=source),
        expose_headers=replace(NO_ORIGINS.expose_headers, source=source),
        source=source,
        credentials_source=source,
        max_age_source=source,
        unlisted_origins_source=source,
    )


def _not_rules(findings: Findings, value: Value, path: str) -> None:
    help = f"write a mapping, such as `{_EXAMPLE}`, or the word `passthrough`"
    likely = with_space(value.text) if value.node.plain else None
    if likely is not None:
        help = "write a space after the colon"
    elif value.text.lower().replace("-", "").replace("_", "") == "passthrough":
        likely, help = "passthrough", "write `passthrough`"
    elif value.text == "*" or "://" in value.text:
        likely = f"{{allow_origins: {as_value(value.text)}}}"
        help = f"write {shown(likely)}"
    elif value.text.lower() in ("off", "false", "none", "no", "disabled"):
        help = (
            "remove the key to grant nothing, or write `passthrough` where the upstream "
            "answers CORS itself"
        )
    fix = likely if value.literal else None
    message = f"`{path}`: {shown(value.text)} is not a mapping of rules"
    findings.error("wrong-type", value.node, message, help, fix)


EXPIRES = "origin-expires"
"""The code of the warning about an entry whose last day is near."""


class _Terms(NamedTuple):
    """What an entry says besides its origin."""

    until: str | None = None
    reason: str = ""


class _Rules:
    """Reads one `cors:` mapping."""

    def __init__(self, section: Section, above: CorsRules | Passthrough | None) -> None:
        self._section = section
        self._findings = section.findings
        self._source = self._findings.source(section.node)
        self._above = above if isinstance(above, CorsRules) else None

    def read(self) -> CorsRules:
        section = self._section
        base = self._above or rules_without_origins(self._source)
        credentials = section.flag("allow_credentials", base.credentials)
        return CorsRules(
            origins=self._origins(base.origins),
            methods=self._listed("allow_methods", base.methods),
            request_headers=self._listed("allow_headers", base.request_headers),
            expose_headers=self._listed("expose_headers", base.expose_headers),
            credentials=credentials,
            max_age=self._max_age(base.max_age),
            unlisted_origins=section.choice(
                "unlisted_origins", ("block", "forward"), base.unlisted_origins, _UNLISTED
            ),
            source=self._source,
            credentials_source=self._where("allow_credentials", base.credentials_source),
            max_age_source=self._where("max_age", base.max_age_source),
            unlisted_origins_source=self._where("unlisted_origins", base.unlisted_origins_source),
        )

    def _where(self, key: str, above: Source) -> Source:
        """Return where a key's value is written: here, or in the rules above."""
        section = self._section
        return above if section.lacks(key) else self._findings.source(section.raw(key))

    def _origins(self, above: OriginSet) -> OriginSet:
        terms: dict[Scalar, _Terms] = {}
        found = self._section.listing("allow_origins", read_mapping=partial(self._entry, terms))
        if found is None:
            # The reader of the whole file checks whether rules above named some.
            broken = self._broken_origins()
            return above if broken is None else broken
        path = self._section.where("allow_origins")
        listed: list[OriginPattern] = []
        expired: list[OriginPattern] = []
        for value in found.values:
            pattern = _origin(self._findings, value, path)
            if pattern is None:
                continue
            if terms and value.node in terms:
                term = terms[value.node]
                pattern = OriginPattern(*pattern[:9], term.until, term.reason)
            is_over = pattern.until is not None and self._is_over(pattern, pattern.until)
            (expired if is_over else listed).append(pattern)
        return OriginSet(listed, self._findings.source(found.node), expired)

    def _entry(self, terms: "dict[Scalar, _Terms]", item: Mapping) -> Value | None:
        """Return the origin of an entry with further terms, which are noted in `terms`."""
        path = f"{self._section.where('allow_origins')}[]"
        section = Section(self._findings, item, "origin", path)
        if section.lacks("origin"):
            help = "name it: `{origin: https://app.example.com, until: 2027-01-31}`"
            self._findings.error("missing-key", item, f"`{path}` has no `origin`", help)
            return None
        value = section.value("origin")
        until, reason = section.value("until"), section.value("reason")
        if value is not None:
            last = None
            if until is not None:
                last = self._findings.parsed(parse_day, until, section.where("until"))
            terms[value.node] = _Terms(last, "" if reason is None else reason.text)
        return value

    def _is_over(self, pattern: OriginPattern, until: str) -> bool:
        """Whether the entry's last day is over. Warns some days before; for the warning
        afterwards see `check_expired`."""
        day = self._findings.day
        left = -1 if day is None else days_left(until, day)
        if 0 <= left <= WARNING_DAYS:
            message = f"`{pattern}` expires at the end of {until} (UTC), {_in_days(left)}"
            help = "give it a later `until` if it is still needed"
            self._findings.at("warning", EXPIRES, pattern.source, message, help)
        return left < 0

    def _broken_origins(self) -> OriginSet | None:
        """Return an empty set if origins are named but cannot be read."""
        if self._section.lacks("allow_origins"):
            return None
        return OriginSet((), self._findings.source(self._section.raw("allow_origins")))

    def _listed(self, key: str, above: Listed) -> Listed:
        found = self._section.listing(key)
        if found is None:
            return above
        names: dict[str, Value] = {}
        everything: Value | None = None
        listed = {value.text for value in found.values}
        for value in found.values:
            if value.text == "*":
                everything = everything or value
                continue
            name = self._name(key, value, listed)
            if name is None:
                continue
            if name in names:
                first = names[name].node.start.line
                message = f"`{self._section.where(key)}`: {shown(name)} is listed twice"
                help = f"remove it; first on line {first}"
                self._findings.warning("duplicate-entry", value.node, message, help)
            names.setdefault(name, value)
        if everything is not None:
            self._absorbed(key, names)
        return Listed(tuple(names), everything is not None, self._findings.source(found.node))

    def _absorbed(self, key: str, names: dict[str, Value]) -> None:
        """Warn about names beside "*", which allows them all."""
        for name, value in names.items():
            # Fetch's own wildcard does not include Authorization, so people write both.
            if name != "authorization":
                message = f'`{self._section.where(key)}`: "*" allows {shown(name)} as well'
                self._findings.warning("subsumed-entry", value.node, message, "remove it")

    def _name(self, key: str, value: Value, listed: Collection[str]) -> str | None:
        """Return a member as the rules hold it; None after a problem was reported.
        `listed` are the texts of all members."""
        checked = self._findings.parsed(CHECKS[key], value, self._section.where(key))
        if checked is None:
            return None
        name, hint = checked
        if hint is not None:
            if hint.suggestion in listed:
                # Otherwise it would be listed twice.
                hint.help, hint.suggestion = f"remove it: {hint.suggestion} is listed", None
            self._findings.mistake(value, hint, self._section.where(key), "warning")
        return name

    def _max_age(self, above: int | None) -> int | None:
        section = self._section
        value = section.value("max_age", "write seconds or a duration, such as `10m`")
        if value is None:
            return above
        if value.text == "none":
            return None
        path = section.where("max_age")
        seconds = self._findings.parsed(_age, value, path)
        if seconds is None:
            return above
        if seconds > _FIREFOX_MAX_AGE:
            message = f"`{path}`: no browser remembers a preflight for longer than 24 hours"
            help = "Firefox caps it at 86400 seconds, Chromium at 7200, Safari at 600"
            self._findings.warning("max-age-capped", value.node, message, help)
        return seconds


def _in_days(number: int) -> str:
    if number == 0:
        return "today"
    return "tomorrow" if number == 1 else f"in {number} days"


def _age(text: str) -> int:
    if text.startswith("-"):
        help = "write `0` to switch the browser's cache off, or remove the key"
        raise BadValueError(
            "bad-duration", "an age cannot be negative", help, "0" if text == "-1" else None
        )
    seconds = parse_duration(text)
    if not seconds.is_integer():
        raise BadValueError(
            "bad-duration",
            "browsers count whole seconds",
            "write whole seconds",
            str(max(round(seconds), 1)),
        )
    if seconds > _LONGEST_AGE:
        raise BadValueError(
            "out-of-range", f"more than {_LONGEST_AGE} seconds", "write `24h` or less"
        )
    return int(seconds)


def _origin(findings: Findings, value: Value, path: str) -> OriginPattern | None:
    try:
        return parse_origin_pattern(value.text, findings.source(value.node))
    except OriginPatternError as error:
        if error.suggestion is None and (item := without_bullet(value.text)) != value.text:
            error.suggestion = likely_origin(item)
        findings.mistake(value, origin_mistake(error, "" if value.literal else value.text), path)
        return None


def origin_mistake(error: OriginPatternError, text: str = "") -> BadValueError:
    """Return why an entry is invalid; `text` repeats it where the line does not show it."""
    cause, _, help = error.message.partition(": ")
    if not text:
        return BadValueError(f"origin-{error.reason}", cause, help, error.suggestion)
    if error.suggestion is not None:
        help = f"{help}: {shown(error.suggestion)}" if help else f"write {shown(error.suggestion)}"
    return BadValueError(f"origin-{error.reason}", f"{shown(text)}: {cause}", help)
