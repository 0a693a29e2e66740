"""The policy of a command line that names an upstream and no file."""

from collections.abc import Sequence

import click

from corsproxy.config.problems import ConfigError
from corsproxy.config.without_file import policy_for_url
from corsproxy.core.policy import Policy


def policy_for(upstream: str, allow_origins: Sequence[str]) -> Policy:
    """Return the policy of `corsproxy UPSTREAM`; raises click.UsageError for a bad flag."""
    if upstream.endswith((".yaml", ".yml")):
        raise click.UsageError(f"UPSTREAM is a URL; to run with a file: corsproxy -c {upstream}")
    try:
        return policy_for_url(upstream, allow_origins)
    except ConfigError as error:
        sentences = []
        for problem in error.problems:
            remedy = f" ({problem.help})" if problem.help else ""
            sentences.append(f"{problem.source}: {problem.message}{remedy}")
        raise click.UsageError("\n".join(sentences)) from None
