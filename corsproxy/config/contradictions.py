"""Rules that contradict each other, or that say less than they seem to.

Works on finished `CorsRules`, because routes inherit what they do not set: a `"*"` at the
top contradicts `allow_credentials: true` in a route.
"""

from collections.abc import Iterable
from typing import Protocol

from corsproxy.config.problems import Severity
from corsproxy.core.origins import OriginPattern, OriginSet, PatternKind
from corsproxy.core.origins.coverage import covering, last_day, lasting
from corsproxy.core.policy import CorsRules
from corsproxy.core.source import Source

# With more wildcards than this, comparing all pairs takes too long.
_COMPARED = 48

# Nothing that is likely to stand beside a wildcard by accident.
_SAMPLE_LABELS = ("q7x", "0-zk9")
_SAMPLE_PORTS = ("", ":1", ":49151")


# "" is that of "*" and "null".
_USUAL_SCHEMES = frozenset({"http", "https", ""})
_LIKE_A_USUAL_SCHEME = 0.75


EXPIRED = "origin-expired"
"""The code of the warning about an entry whose last day is over."""


class Report(Protocol):
    """Takes a problem at the source of a rule."""

    def __call__(
        self, severity: Severity, code: str, source: Source, message: str, help: str = ""
    ) -> None: ...


def check_rules(rules: CorsRules, report: Report) -> None:
    """Report what is wrong with the rules as they will be used."""
    if rules.credentials:
        for pattern in rules.origins:
            if pattern.scheme != "https" or not pattern.is_exact:
                _with_credentials(rules, pattern, report)
    else:
        for pattern in rules.origins.inexact:
            _without_credentials(pattern, report)


def _with_credentials(rules: CorsRules, pattern: OriginPattern, report: Report) -> None:
    """Fetch, "CORS protocol and credentials": who may act in the user's name."""
    at = _inner(rules, pattern.source)
    if pattern.is_any:
        help = "name the origins; `http://localhost:*` is every port of this machine"
        message = 'with `allow_credentials: true`, `"*"` would let every site act as the user'
        report("error", "wildcard-with-credentials", at, message, help)
    elif pattern.is_null:
        help = "serve the page from a real origin and name that"
        message = 'with `allow_credentials: true`, `"null"` would let every site act as the user'
        report("error", "null-with-credentials", at, message, help)
    elif pattern.over_public_suffix:
        help = "name the origins, or a domain of your own after the `*`"
        message = (
            f"with `allow_credentials: true`, `{pattern}` would let anyone with a name under "
            f".{pattern.host} act as the user"
        )
        report("error", "public-suffix-with-credentials", at, message, help)
    elif pattern.is_insecure:
        help = "serve the page over https"
        message = f"`{pattern}` may act as the user, and anyone on the network can impersonate it"
        report("warning", "insecure-with-credentials", at, message, help)


def _inner(rules: CorsRules, entry: Source) -> Source:
    """Return where to report an entry that credentials contradict: at the entry, or at
    `allow_credentials` where the entry is taken over and that is not."""
    if entry[1:] < rules.source[1:] <= rules.credentials_source[1:]:
        return rules.credentials_source
    return entry


def _without_credentials(pattern: OriginPattern, report: Report) -> None:
    if pattern.is_null:
        help = "serve the page from a real origin and name that"
        message = 'every site can make a page with the origin "null", in a sandboxed frame'
        report("warning", "null-origin", pattern.source, message, help)
    elif pattern.kind is PatternKind.SUBDOMAINS and pattern.over_public_suffix:
        help = "name the origins, or a domain of your own after the `*`"
        message = f"`{pattern}`: anyone can get a name under .{pattern.host}"
        report("warning", "public-suffix", pattern.source, message, help)


def _refused_with_credentials(pattern: OriginPattern) -> bool:
    return pattern.is_any or pattern.is_null or pattern.over_public_suffix


def _is_too_wide(pattern: OriginPattern, credentials: bool) -> bool:
    """Whether `check_rules` asks for a narrower entry in its place, so that those that it
    covers have to stay."""
    return pattern.over_public_suffix and (credentials or pattern.kind is PatternKind.SUBDOMAINS)


def check_expired(origins: OriginSet, report: Report, credentials: bool) -> None:
    """Report entries whose last day is over, and by which others their origins are still
    allowed. `credentials` is whether the list is used with them."""
    if not origins.expired:
        return
    valid = OriginSet(
        each for each in origins if not (credentials and _refused_with_credentials(each))
    )
    for pattern in origins.expired:
        message = f"`{pattern}` expired after {pattern.until}"
        found = next(covering(valid, pattern), None)
        if found is None:
            message += ": it is refused"
            help = "give it a later `until`, or remove the entry"
        else:
            line = found.source.line
            message += f", but `{found}` on line {line} still allows it"
            other = f"narrow `{found}`"
            if found.text == pattern.text:
                other = f"remove the one on line {line} as well"
            help = f"remove this entry; to refuse `{pattern}`, {other}"
        report("warning", EXPIRED, pattern.source, message, help)


def check_list(origins: OriginSet, report: Report, credentials: bool = False) -> None:
    """Report entries that another entry makes superfluous, and hosts that are likely mistakes.

    `credentials` is whether the list is used with them: no entry that they refuse makes
    another one superfluous."""
    first = {pattern.text: pattern for pattern in reversed(lasting(origins).patterns)}
    for pattern in origins:
        kept = first[pattern.text]
        if kept is not pattern:
            message = f"`{pattern}` is listed twice"
            order = "first" if kept.source < pattern.source else "it lasts longer"
            help = f"remove it; {order} on line {kept.source.line}"
            if kept.source == pattern.source:
                help = "remove the alias that repeats it"
            report("warning", "duplicate-entry", pattern.source, message, help)
            continue
        if pattern.scheme not in _USUAL_SCHEMES:
            _check_scheme(pattern, report)
        if pattern.scheme == "file":
            help = 'if you mean such a page, note that "null" lets in every sandboxed frame, too'
            message = f"`{pattern}`: only some web views send it; browsers send `null` for files"
            report("warning", "file-origin", pattern.source, message, help)
        if pattern.host in ("0.0.0.0", "[::]"):  # noqa: S104
            help = "servers listen on it; in the browser open `localhost`, and list that"
            message = f"`{pattern}`: {pattern.host} is not where a page should be opened"
            report("warning", "unspecified-address", pattern.source, message, help)
    if origins.any is not None:
        for pattern in first.values():
            if not pattern.is_any:
                message = f'`{pattern}` stands beside `"*"`, which allows every origin'
                help = 'keep one: the origins that you mean, or `"*"` alone'
                if credentials:
                    help = 'keep the origins that you mean, and remove `"*"`'
                report("error", "wildcard-not-alone", pattern.source, message, help)
        return
    if origins.inexact:
        _check_subsumed(list(first.values()), report, credentials)
    _check_loopback_names(list(first.values()), report)


def _check_scheme(pattern: OriginPattern, report: Report) -> None:
    """Report an entry that no page can have, because its scheme is a misspelled one."""
    # Imported here, because most files have no other schemes.
    from difflib import get_close_matches

    scheme = pattern.scheme
    near = get_close_matches(scheme, ("https", "http"), 1, _LIKE_A_USUAL_SCHEME)
    if near:
        meant = near[0] + pattern.text.removeprefix(scheme)
        message = f"`{pattern}` matches no web page: its scheme is `{scheme}`"
        help = f"did you mean `{meant}`?"
        report("warning", "scheme-typo", pattern.source, message, help)


def _check_subsumed(patterns: list[OriginPattern], report: Report, credentials: bool) -> None:
    wildcards = [
        pattern
        for pattern in patterns
        if not (pattern.is_exact or pattern.is_null or _is_too_wide(pattern, credentials))
    ]
    if not wildcards:
        return
    wider = OriginSet(wildcards)
    for pattern in patterns:
        if pattern.is_exact:
            found = wider.match(pattern.text.encode("ascii"))
        elif len(wildcards) <= _COMPARED:
            others = OriginSet(other for other in wildcards if other is not pattern)
            found = _sampled(pattern, others)
        else:
            found = None
        if found is not None and last_day(found) >= last_day(pattern):
            message = f"`{found}` on line {found.source.line} allows `{pattern}` as well"
            report("warning", "subsumed-entry", pattern.source, message, "remove it")


def _sampled(pattern: OriginPattern, others: OriginSet) -> OriginPattern | None:
    """Return the entry that allows everything that `pattern` allows, judged by samples."""
    covering = {others.match(sample.encode("ascii")) for sample in _samples(pattern)}
    return covering.pop() if len(covering) == 1 else None


def _samples(pattern: OriginPattern) -> Iterable[str]:
    text = pattern.text.removesuffix(":*") if pattern.any_port else pattern.text
    ports = _SAMPLE_PORTS if pattern.any_port else ("",)
    labels: tuple[str, ...] = _SAMPLE_LABELS
    if pattern.kind is PatternKind.SUBDOMAINS:
        labels = (*labels, "q7x.0-zk9")
    for port in ports:
        for label in labels:
            yield text.replace("*", label, 1) + port


def _check_loopback_names(patterns: list[OriginPattern], report: Report) -> None:
    """Report ports that are listed for only one of this machine's names.

    Only where a list uses both names: then its author knows that they are two origins.
    """
    places: dict[str, list[OriginPattern]] = {"localhost": [], "127.0.0.1": []}
    for pattern in patterns:
        if pattern.host in places and not pattern.prefix:
            places[pattern.host].append(pattern)
    if not all(places.values()):
        return
    allowed = OriginSet(patterns)
    for host, twin in (("localhost", "127.0.0.1"), ("127.0.0.1", "localhost")):
        for pattern in places[host]:
            if pattern.is_exact:
                other = pattern.text.replace(host, twin, 1)
                if allowed.match(other.encode("ascii")) is None:
                    message = f"`{pattern}` is listed and `{other}` is not: they are two origins"
                    help = f"list `{other}` too, unless the page is never opened by that name"
                    report("warning", "loopback-twin", pattern.source, message, help)
