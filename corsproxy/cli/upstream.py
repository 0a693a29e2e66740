"""The policy of a command line with an upstream and no file."""

import click

from corsproxy.config.problems import ConfigError
from corsproxy.config.without_file import Quick, quick_policy
from corsproxy.core.policy import Policy


def policy_of(quick: Quick) -> Policy:
    """Return the policy of `corsproxy UPSTREAM`. Raises click.UsageError for a bad flag."""
    if quick.upstream.endswith((".yaml", ".yml")):
        message = f"UPSTREAM is a URL; to run with a file: corsproxy -c {quick.upstream}"
        raise click.UsageError(message)
    try:
        return quick_policy(quick)
    except ConfigError as error:
        sentences = []
        for problem in error.problems:
            remedy = f" ({problem.help})" if problem.help else ""
            sentences.append(f"{problem.source}: {problem.message}{remedy}")
        raise click.UsageError("\n".join(sentences)) from None
