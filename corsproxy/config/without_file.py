"""The policy of `corsproxy URL`: what a developer means who has not written a file yet."""

from collections.abc import Sequence

from corsproxy.config.contradictions import check_rules
from corsproxy.config.cors import origin_mistake
from corsproxy.config.mistakes import BadValueError
from corsproxy.config.problems import ConfigError, Problem, Severity
from corsproxy.config.upstreams import parse_upstream
from corsproxy.core.origins import (
    LOOPBACK_ORIGINS,
    OriginPatternError,
    OriginSet,
    parse_origin_pattern,
)
from corsproxy.core.policy import CorsRules, Listed, Policy, Route, UpstreamAddress
from corsproxy.core.source import Source

_UPSTREAM = Source("UPSTREAM")
_ALLOW_ORIGIN = Source("--allow-origin")


def policy_for_url(upstream: str, allow_origins: Sequence[str]) -> Policy:
    """Return the policy without a file.

    Pages that this machine serves may call with every method and header, with
    credentials, and read every response header; so may the origins in `allow_origins`,
    which are written as in the file. Never everybody. Raises ConfigError for a bad value.
    """
    problems: list[Problem] = []
    address = _address(upstream, problems)
    rules = _rules(allow_origins, problems)
    if address is None or problems:
        raise ConfigError(problems)
    return Policy(routes=(Route("/", b"/", address, rules, source=_UPSTREAM),), default_cors=rules)


def _address(upstream: str, problems: list[Problem]) -> UpstreamAddress | None:
    try:
        return parse_upstream(upstream)
    except BadValueError as mistake:
        # The URL is not shown: it may hold a password.
        if "{" in mistake.help:
            mistake.help = f"in a file, which corsproxy init writes, {mistake.help}"
        problems.append(_problem(mistake, "", _UPSTREAM))
        return None


def _rules(allow_origins: Sequence[str], problems: list[Problem]) -> CorsRules:
    patterns = [parse_origin_pattern(text) for text in LOOPBACK_ORIGINS]
    for text in allow_origins:
        try:
            patterns.append(parse_origin_pattern(text, _ALLOW_ORIGIN))
        except OriginPatternError as error:
            mistake = origin_mistake(error, text)
            if error.reason == "several-origins":
                mistake.help = (
                    f"give {_ALLOW_ORIGIN} once for each, or separate them by spaces in"
                    " CORSPROXY_ALLOW_ORIGIN"
                )
            problems.append(_problem(mistake, text, _ALLOW_ORIGIN))
    everything = Listed((), any=True)
    rules = CorsRules(
        OriginSet(patterns, _ALLOW_ORIGIN),
        methods=everything,
        request_headers=everything,
        expose_headers=everything,
        credentials=True,
    )

    def report(severity: Severity, code: str, source: Source, message: str, help: str = "") -> None:
        if severity == "error":
            # There is no key that says so: it is what is meant without a file.
            cause = message.replace("with `allow_credentials: true`, ", "")
            problems.append(Problem(severity, code, cause, source, help=help))

    check_rules(rules, report)
    return rules


def _problem(mistake: BadValueError, text: str, source: Source) -> Problem:
    help = mistake.help
    if mistake.suggestion is not None and mistake.suggestion not in help:
        help = f"{help}: {mistake.suggestion}" if help else f"write {mistake.suggestion}"
    return Problem("error", mistake.code, mistake.message, source, len(text), help, text)
