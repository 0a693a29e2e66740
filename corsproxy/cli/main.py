"""`corsproxy`: the commands. Arguments that name no command go to `serve`.

A command's module is imported when the command is run: only `serve` and `demo` need the
server, and all others answer at once. Each module has its click command under the
name `command`.
"""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import find_spec
from io import TextIOWrapper
from typing import Any, NoReturn

import click

from corsproxy import __version__
from corsproxy.cli.commands import COMMANDS, DEFAULT_COMMAND, LASTING
from corsproxy.cli.failures import Exit, Failure, reason_of


class CommandLine(click.Group):
    """A group with a default command that imports its commands on use."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        # --help and --version print already here.
        with _ending_with_its_reader():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        with _ending_with_its_reader():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        if cmd_name in LASTING:
            gc.enable()
        command = import_module(f"corsproxy.cli.{cmd_name}").command
        if not isinstance(command, click.Command):
            raise TypeError(f"corsproxy.cli.{cmd_name}.command is not a click command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        # Completion must offer the commands, not the flags of the default one.
        if not ctx.resilient_parsing:
            args = self._with_command(ctx, args)
        return super().parse_args(ctx, args)

    def _with_command(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Insert the default command before arguments that name none."""
        if not args:
            return [DEFAULT_COMMAND]
        first = args[0]
        if first in COMMANDS or first in ("-V", "--version") or first in ctx.help_option_names:
            return args
        if _is_word(first) and not first.startswith("-"):
            refuse_word(ctx, first)
        return [DEFAULT_COMMAND, *args]


def closest(word: str) -> str | None:
    """Return the command that `word` was most likely meant for; None if there is none."""
    # Imported here, because most words are commands.
    from difflib import get_close_matches

    return next(iter(get_close_matches(word, COMMANDS, n=1)), None)


def refuse_word(ctx: click.Context, word: str) -> NoReturn:
    """Raise click.UsageError for a word that is not a command."""
    message = f"no command is named {word!r}."
    close = closest(word)
    if close:
        message += f" Did you mean {close!r}?"
    else:
        message += f" To name an upstream: corsproxy https://{word}"
    raise click.UsageError(message, ctx)


def _is_word(argument: str) -> bool:
    """Whether it looks like a command; URLs, hosts, ports and paths do not."""
    if argument == "localhost" or argument.isdecimal():
        return False
    return argument.replace("-", "").replace("_", "").isalnum()


def version() -> str:
    """Return the version, and how it is installed."""
    return f"{__version__} ({_form()})"


def _form() -> str:
    """Say whether the hot path is compiled, without loading it."""
    found = find_spec("corsproxy.core.decision")
    origin = found.origin if found else None
    compiled = origin is not None and origin.endswith(tuple(EXTENSION_SUFFIXES))
    return "compiled" if compiled else "pure Python"


@click.group(
    cls=CommandLine,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    subcommand_metavar="[COMMAND] [ARGS]...",
    epilog="Run a command with --help to see its flags.",
)
@click.version_option(__version__, "-V", "--version", message=f"%(prog)s {version()}")
def cli() -> None:
    """A reverse proxy that adds CORS for the origins that you name, and for no others.

    \b
    corsproxy https://api.example.com    start; pages on localhost may call it
    corsproxy init                       write corsproxy.yaml
    corsproxy                            run with ./corsproxy.yaml
    """


def main() -> None:
    """Run the command line and exit."""
    for stream in (sys.stdout, sys.stderr):
        # A character that the terminal cannot encode must not cause a traceback.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        cli(prog_name="corsproxy")
    except BrokenPipeError:  # of what click prints: a failure's sentence
        _end_with_reader()
    except OSError as error:
        _end(error)
    finally:
        if not gc.isenabled():
            # All memory is freed at once; the interpreter would look for garbage one last time.
            gc.freeze()


@contextmanager
def _ending_with_its_reader() -> Iterator[None]:
    """End quietly at a closed pipe. click would exit with 1, which means findings."""
    try:
        yield
    except BrokenPipeError:
        _end_with_reader()


def _end_with_reader() -> NoReturn:
    from corsproxy.cli.ending import leave

    leave(Exit.CLOSED_PIPE)


def _end(error: OSError) -> NoReturn:
    """End because the system refuses something that every command needs: room for output, a
    working directory, a descriptor."""
    from corsproxy.cli.ending import leave

    with suppress(OSError):
        Failure(reason_of(error), Exit.NOT_STARTED).show()
    leave(Exit.NOT_STARTED)
