"""One value to allow: checked like the file's own values, and added to rules."""

from dataclasses import replace
from typing import Any, NamedTuple

from corsproxy.config.cors import read_cors
from corsproxy.config.findings import Findings
from corsproxy.config.general import AllowedHosts, read_allowed_hosts
from corsproxy.config.problems import ConfigError, Problem
from corsproxy.config.section import Section
from corsproxy.config.yaml.nodes import Entry, Mapping, Scalar
from corsproxy.config.yaml.source_text import Mark, SourceText
from corsproxy.core.advice.remedies import LISTS, RemedyKey, listed_under
from corsproxy.core.fields import CORS_SAFELISTED_RESPONSE_HEADERS
from corsproxy.core.guard import parse_host
from corsproxy.core.origins import OriginSet
from corsproxy.core.policy import CorsRules, Listed, Policy
from corsproxy.core.source import Source

VALUE = Source("VALUE")
# In a file they cause a warning; new ones are refused, because they have no effect.
_WITHOUT_EFFECT = frozenset({"method-case", "method-unknown"})


class NewEntry(NamedTuple):
    """What is to be allowed, and under which key."""

    key: RemedyKey
    text: str
    """As it belongs into the file, not quoted."""
    rules: CorsRules
    """Rules that allow it and nothing else under `key`."""
    hosts: AllowedHosts

    @property
    def any(self) -> bool:
        """Whether it is `"*"`, beside which no other entry says anything."""
        return self.text == "*"

    def added_to(self, rules: CorsRules) -> CorsRules:
        """Return the rules that allow it too; it comes last in its list."""
        if self.key == "allow_origins":
            patterns = (*rules.origins, *self.rules.origins)
            before = rules.origins
            return replace(rules, origins=OriginSet(patterns, before.source, before.expired))
        if self.key == "allow_credentials":
            return replace(rules, credentials=True)
        listed, added = listed_under(rules, self.key), listed_under(self.rules, self.key)
        names, any_name = (*listed.names, *added.names), listed.any or added.any
        return self._with(rules, replace(listed, names=names, any=any_name))

    def alone_in(self, rules: CorsRules) -> CorsRules:
        """Return the rules with a list of this entry alone."""
        if self.key == "allow_origins":
            return replace(rules, origins=self.rules.origins)
        return self._with(rules, listed_under(self.rules, self.key))

    def _with(self, rules: CorsRules, listed: Listed) -> CorsRules:
        changed: dict[str, Any] = {LISTS[self.key]: listed}
        return replace(rules, **changed)

    def added_to_hosts(self, policy: Policy) -> Policy:
        """Return the policy that answers to the host too."""
        return replace(
            policy,
            allowed_hosts=policy.allowed_hosts | self.hosts.names,
            any_host=policy.any_host or self.hosts.any,
        )

    def allowed_by(self, rules: CorsRules, *, written: bool) -> str | None:
        """Return, in words, what allows it already; None where nothing does.

        `written` says whether the list is: a default has no place of its own.
        """
        if self.key == "allow_credentials":
            return f"{rules.credentials_source}" if rules.credentials else None
        if self.key == "allow_origins":
            return self._origin_allowed_by(rules.origins)
        own, listed = listed_under(self.rules, self.key), listed_under(rules, self.key)
        [name] = own.names or (("*",) if own.any else (self.text.lower(),))
        if listed.any:
            return f'by "*", {listed.source}'
        if name in listed.names:
            return str(listed.source) if written else "by default"
        implied = {
            "allow_methods": rules.allowed_methods,
            "allow_headers": rules.allowed_request_headers,
            "expose_headers": CORS_SAFELISTED_RESPONSE_HEADERS,
        }
        return "always" if name.encode("ascii") in implied[self.key] else None

    def host_allowed_by(self, policy: Policy) -> str | None:
        """Return, in words, what lets Host carry it already; None where nothing does."""
        if policy.any_host:
            return f'by "*", {policy.allowed_hosts_source}'
        if self.any:
            return None
        [name] = self.hosts.names
        if name in policy.allowed_hosts:
            return str(policy.allowed_hosts_source)
        host = parse_host(name.encode("ascii"))
        return "always" if host is not None and host.always_allowed else None

    def _origin_allowed_by(self, origins: OriginSet) -> str | None:
        if origins.any is not None:
            return f'by "*", {origins.any.source}'
        [wanted] = self.rules.origins
        same = next((each for each in origins.patterns if each.text == wanted.text), None)
        if same is not None:
            return str(same.source)
        exact = wanted.is_exact or wanted.is_null
        found = origins.match(wanted.text.encode("ascii")) if exact else None
        return None if found is None else f"by {found}, {found.source}"


def read_entry(key: RemedyKey, value: str) -> NewEntry:
    """Return what `value`, from a command line, is under `key`; "true" is the only value
    of `allow_credentials`.

    Raises ConfigError with what the reader would say about it in the file, and for what
    could have no effect there.
    """
    source = SourceText(VALUE.name, value)
    last = source.lines[-1]
    start, end = Mark(0, 1, 1), Mark(len(value), len(source.lines), len(last) + 1)
    # References are not filled in here, so each dollar sign stands for itself.
    node = Scalar(start, end, value.replace("$", "$$"), key == "allow_credentials")
    mapping = Mapping(start, end, [Entry(Scalar(start, start, key, True), node)], flow=True)
    findings = Findings(source, {})
    hosts, rules = AllowedHosts(), CorsRules(OriginSet(()))
    if key == "allowed_hosts":
        hosts = read_allowed_hosts(Section(findings, mapping, "top", ""))
    else:
        read = read_cors(findings, mapping, "cors", None)
        rules = read if isinstance(read, CorsRules) else rules
    problems = [
        problem
        for problem in findings.problems
        if problem.severity == "error" or problem.code in _WITHOUT_EFFECT
    ]
    if problems:
        raise ConfigError(map(_as_value, problems))
    text = rules.methods.names[0] if key == "allow_methods" and rules.methods.names else value
    return NewEntry(key, text, rules, hosts)


def _as_value(problem: Problem) -> Problem:
    """Return the problem of a value that is in no file, and so has no line there."""
    problem = problem._replace(source=VALUE, severity="error")
    if problem.code == "several-entries":
        return problem._replace(help="give them one at a time", fix=None)
    return problem
