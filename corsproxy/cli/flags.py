"""The flags that override keys of the file, at the start and at every reload."""

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from corsproxy.cli.addresses import Off
from corsproxy.cli.options import environment_variable
from corsproxy.config.problems import Problem
from corsproxy.config.reader import Reading
from corsproxy.core.policy import ListenAddress, LogFormat, Policy

# Each flag, and the key that it overrides.
_KEYS = {
    "--listen": "listen",
    "--admin": "admin",
    "--log-format": "log.format",
    "--drain-delay": "drain_delay",
    "--shutdown-grace": "shutdown_grace",
}


class Flags(NamedTuple):
    """The flags of `serve` that override keys of the file; None if not given."""

    listen: tuple[ListenAddress, ...]
    admin: ListenAddress | Off | None
    log_format: LogFormat | None
    drain_delay: float | None
    shutdown_grace: float | None
    instance: str
    """Distinguishes this run, all its processes together, from others with the same name in
    Via. Otherwise two proxies in a row would look like a loop."""
    of_environment: frozenset[str] = frozenset()
    """The parameters that were set by an environment variable."""
    https: bool = False
    """Whether every listener speaks https, as if each address said so."""
    port: int | None = None
    """The port of every listener, in place of the one in its address."""
    quiet: bool = False
    """Whether to log only refusals, failures and what browsers block."""

    def applied_to(self, policy: Policy) -> Policy:
        """Return the policy with the flags in place of the file's keys."""
        if self.admin is not None:
            admin = None if isinstance(self.admin, Off) else self.admin
            policy = replace(policy, admin=admin)
        if self.drain_delay is not None:
            policy = replace(policy, drain_delay=self.drain_delay)
        if self.shutdown_grace is not None:
            policy = replace(policy, shutdown_grace=self.shutdown_grace)
        listen = self.listen or policy.listen
        if self.port is not None:
            moved = (replace(address, port=self.port) for address in listen)
            listen = tuple(dict.fromkeys(moved))
        log = replace(policy.log, format=self.log_format or policy.log.format)
        if self.quiet:
            log = replace(log, quiet=True)
        if self.https:
            listen = tuple(replace(address, https=True) for address in listen)
        return replace(
            policy,
            listen=listen,
            log=log,
            via=None if policy.via is None else f"{policy.via}-{self.instance}",
        )

    def remaining_warnings(self, reading: Reading) -> tuple[Problem, ...]:
        """Return the file's warnings, except those that the flags resolve."""
        if not self.https and not any(address.https for address in self.listen):
            return reading.warnings
        return tuple(each for each in reading.warnings if each.code != "tls-without-listener")

    def override_warnings(self, reading: Reading) -> tuple[Problem, ...]:
        """Return a warning for each key that an environment variable overrides, because the file
        does not show it. A flag that was typed is intentional."""
        ours = dict(_values(self.applied_to(reading.policy)))
        return tuple(
            _overridden(_KEYS[flag], value, ours[flag], variable, reading)
            for flag, value in _values(reading.policy)
            if _KEYS[flag] in reading.head
            and ours[flag] != value
            and (variable := self._variable(flag)) is not None
        )

    def _variable(self, flag: str) -> str | None:
        """Return the environment variable that the flag's value comes from; None if none."""
        names = (flag, "--port") if flag == "--listen" else (flag,)
        for name in names:
            if name.removeprefix("--").replace("-", "_") in self.of_environment:
                return environment_variable(name)
        return None


def _values(policy: Policy) -> Iterator[tuple[str, str]]:
    """Yield each flag with the value that it would have for this policy."""
    yield "--listen", ", ".join(map(str, policy.listen))
    yield "--admin", "off" if policy.admin is None else str(policy.admin)
    yield "--log-format", policy.log.format
    yield "--drain-delay", f"{policy.drain_delay:g}s"
    yield "--shutdown-grace", f"{policy.shutdown_grace:g}s"


def _overridden(key: str, theirs: str, ours: str, variable: str, reading: Reading) -> Problem:
    message = f"`{key}` is {theirs} here, but {ours} in {variable}, which takes precedence"
    help = f"set {variable} to the empty string, or remove the key"
    return Problem("warning", "overridden-key", message, reading.head[key], help=help)
