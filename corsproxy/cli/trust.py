"""`corsproxy trust`: makes browsers and the system trust the authority of `--https`."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from enum import Enum, auto
from importlib.util import find_spec
from typing import TYPE_CHECKING

import click

from corsproxy.cli.failures import Exit, Failure, starting
from corsproxy.cli.options import option
from corsproxy.core.advice.operation import not_installed
from corsproxy.shell.certificates.directories import directories_of
from corsproxy.shell.certificates.stores import Plan, Step, Subject, machine_of, plan
from corsproxy.shell.system.packages import installing

if TYPE_CHECKING:
    from corsproxy.shell.certificates.authority import Authority


@click.command()
@option("--remove", is_flag=True, help="Remove the authority again.")
@option(
    "--print", "print_it", is_flag=True, help="Print its certificate (PEM), and change nothing."
)
@click.pass_context
def command(ctx: click.Context, remove: bool, print_it: bool) -> None:
    """Make browsers and this system trust the certificates that --https makes.

    Installs the authority that signs them: mkcert's root if there is one, otherwise
    corsproxy's own, which can only vouch for localhost, *.localhost, *.test and loopback
    addresses. Every command is shown before it runs. The exit code is 0 if all went well.
    """
    if remove and print_it:
        raise click.UsageError("--remove and --print are mutually exclusive.")
    authority = _authority(make=not remove)
    if authority is None:
        click.echo("There is no authority to remove.")
        return
    if print_it:
        click.echo(authority.pem, nl=False)
        return
    serial = f"{authority.certificate.serial_number:x}"
    subject = Subject(authority.file, authority.name, serial)
    is_root = sys.platform != "win32" and os.geteuid() == 0
    todo = plan(
        subject,
        machine_of(os.environ, directories_of(os.environ).home, is_root=is_root),
        remove=remove,
    )
    _show(subject, todo, remove)
    ends = {_carried_out(step) for step in todo.steps}
    if _End.FAILED in ends or todo.obstacles:
        ctx.exit(Exit.FINDINGS)
    has_changed = _End.DONE in ends
    click.echo("Restart the browsers that are running." if has_changed else "Nothing to do.")


def _authority(*, make: bool) -> "Authority | None":
    """Return the authority in use; with `make`, create one if needed. Raises Failure."""
    if find_spec("cryptography") is None:
        needed = "cryptography"
        message = not_installed("trust", [needed], installing(needed))
        raise Failure(message, Exit.NOT_STARTED)
    from corsproxy.shell.certificates.authority import find_authority, known_authority

    told: list[str] = []
    find = find_authority if make else known_authority
    with starting():
        authority = find(directories_of(os.environ), datetime.now(UTC), told)
    for sentence in told:
        click.echo(f"corsproxy: {sentence}", err=True)
    return authority


def _show(subject: Subject, todo: Plan, remove: bool) -> None:
    what = "Will remove" if remove else "Will trust"
    click.echo(f"{what} {subject.name}\n  {subject.file}\n")
    for step in todo.steps:
        click.echo(f"{step.store}:")
        for line in step.lines:
            click.echo(f"  {line}")
    for obstacle in todo.obstacles:
        click.echo(f"not done: {obstacle}")
    click.echo()


class _End(Enum):
    """The result of a step."""

    DONE = auto()
    NOTHING_TO_DO = auto()
    FAILED = auto()


def _carried_out(step: Step) -> _End:
    """Run the commands until one fails; return the result."""
    if step.only_if is not None and _run(step.only_if).returncode != 0:
        click.echo(f"{step.store}: not there")
        return _End.NOTHING_TO_DO
    for command_line in step.commands:
        ended = _run(command_line)
        if ended.returncode != 0:
            said = (ended.stdout or b"").decode(errors="replace").strip()
            last = said.splitlines()[-1] if said else f"exit code {ended.returncode}"
            click.echo(f"{step.store}: failed: {last}")
            return _End.FAILED
    click.echo(f"{step.store}: done")
    return _End.DONE


def _run(command_line: tuple[str, ...]) -> subprocess.CompletedProcess[bytes]:
    # sudo prompts at the terminal itself.
    return subprocess.run(  # noqa: S603 - what was shown
        command_line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
