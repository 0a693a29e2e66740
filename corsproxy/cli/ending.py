"""How a command's process ends: at once, or by a signal that the command does not handle itself.

If a signal comes while `serve` or `demo` loads, the exit code is the same as after a drain: it
must not depend on how early the signal comes. Other commands end quietly at Ctrl-C.

Only what the handlers need is imported: until they are set, signals have their default action.
"""

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from corsproxy.cli.commands import LASTING, code_at_interrupt, command_of

TYPE_CHECKING = False  # `typing` takes longer to import than all of the above
if TYPE_CHECKING:
    from typing import NoReturn

_STDIN = 0


def leave(code: int) -> "NoReturn":
    """End the process at once.

    The interpreter would wait for its threads, and one that resolves a name or reads from
    a network drive can hang for longer than the grace period that has just ended.
    """
    for stream in (sys.stdout, sys.stderr):
        # A RuntimeError means that a signal came while it was being written.
        with suppress(OSError, ValueError, AttributeError, RuntimeError):
            stream.flush()
    os._exit(code)


@contextmanager
def interruptible(arguments: Sequence[str]) -> Iterator[None]:
    """Let a signal end the command that `arguments` name at any moment, without a traceback."""
    command, code = command_of(arguments), code_at_interrupt(arguments)
    if command in LASTING:
        _end_at_once(command, code)
        yield
    elif signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        yield from _end_cleanly(code)
    else:  # shells start background jobs with SIGINT ignored
        yield


def _end_at_once(command: str, code: int) -> None:
    """Set the handlers. Without them, process 1 of a container would ignore SIGTERM.

    They raise nothing, because an exception could be lost in a destructor, or be turned into
    another one where a module is being imported.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: leave(code))
    if command == "serve" and hasattr(signal, "SIGHUP"):
        had_terminal = os.isatty(_STDIN)
        signal.signal(signal.SIGHUP, lambda *_: _hang_up(had_terminal, code))


def _hang_up(had_terminal: bool, code: int) -> None:
    """End the process if its terminal goes away. Otherwise SIGHUP asks for a reload, which needs
    nothing here: the watcher compares the file with what was read."""
    if had_terminal and not os.isatty(_STDIN):
        leave(code)


def _end_cleanly(code: int) -> Iterator[None]:
    """Let Ctrl-C end the command by an exception, so that an edit in progress can clean up."""
    came = False

    def interrupt(*_: object) -> None:
        nonlocal came
        came = True
        # click reports a KeyboardInterrupt, and changes the exit code.
        raise SystemExit(code)

    signal.signal(signal.SIGINT, interrupt)
    # It gets exceptions that are lost in a destructor.
    report = sys.unraisablehook
    sys.unraisablehook = lambda lost: leave(code) if came else report(lost)
    try:
        yield
    finally:
        if came:
            leave(code)
