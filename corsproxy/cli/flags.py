"""What flags say in place of the file's head, at the start and at every reload."""

from dataclasses import replace
from typing import NamedTuple

from corsproxy.cli.addresses import Off
from corsproxy.core.policy import ListenAddress, LogFormat, Policy


class Flags(NamedTuple):
    """The flags of `serve` that a file has keys for; None where one was not given."""

    listen: tuple[ListenAddress, ...]
    admin: ListenAddress | Off | None
    log_format: LogFormat | None
    drain_delay: float | None
    shutdown_grace: float | None
    instance: str
    """What tells this run from others of the same name in Via, all its processes together:
    without it, two proxies in a row would look like a loop."""

    def applied_to(self, policy: Policy) -> Policy:
        """Return the policy with the flags in place of the file's keys."""
        if self.admin is not None:
            admin = None if isinstance(self.admin, Off) else self.admin
            policy = replace(policy, admin=admin)
        if self.drain_delay is not None:
            policy = replace(policy, drain_delay=self.drain_delay)
        if self.shutdown_grace is not None:
            policy = replace(policy, shutdown_grace=self.shutdown_grace)
        return replace(
            policy,
            listen=self.listen or policy.listen,
            log=replace(policy.log, format=self.log_format or policy.log.format),
            via=None if policy.via is None else f"{policy.via}-{self.instance}",
        )
