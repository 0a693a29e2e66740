"""A worker of `corsproxy serve --workers`: the same command, started by its supervisor.

The flags are the same too. The file's content comes from the supervisor, so that all workers
serve the same policy while the file is edited.
"""

import os
import signal
import socket
from functools import partial
from typing import TYPE_CHECKING

import click

from corsproxy.cli.failures import Exit
from corsproxy.cli.files import read
from corsproxy.cli.flags import Flags
from corsproxy.cli.process import run
from corsproxy.cli.upstream import policy_of
from corsproxy.config.without_file import Quick
from corsproxy.core.policy import Policy

if TYPE_CHECKING:
    from corsproxy.shell.workers.channel import WorkerSetup


def supervisors_channel() -> socket.socket | None:
    """Return the socket to the supervisor; None if this process is not a worker.

    Raises click.UsageError if the variable was not set by a supervisor.
    """
    # Imported here: `serve --help` does not need workers.
    from corsproxy.shell.workers.channel import CHANNEL_VARIABLE

    descriptor = os.environ.get(CHANNEL_VARIABLE)
    if descriptor is None:
        return None
    try:
        return socket.socket(fileno=int(descriptor))
    except (OSError, ValueError, OverflowError):
        sentence = f"{CHANNEL_VARIABLE} is for corsproxy's own processes; unset it"
        raise click.UsageError(sentence) from None


def work(channel: socket.socket, flags: Flags, quick: Quick | None) -> Exit:
    """Answer requests until the supervisor says to stop, or has gone.

    Raises StartError.
    """
    from corsproxy.shell.workers.channel import SUPERVISORS_SIGNALS

    for number in SUPERVISORS_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    # The supervisor blocked them until the handlers are set.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SUPERVISORS_SIGNALS)
    from corsproxy.shell.workers import worker

    read_policy = partial(_policy, flags, quick)
    run(lambda: worker.work(channel, read_policy))
    return Exit.OK


def _policy(flags: Flags, quick: Quick | None, setup: "WorkerSetup", content: bytes) -> Policy:
    file = setup["file"]
    if file is not None:
        policy = read(content, file).policy
    elif quick is not None:
        policy = policy_of(quick)
    else:
        raise ValueError("a worker needs a file or an upstream")
    return flags._replace(instance=setup["instance"]).applied_to(policy)
