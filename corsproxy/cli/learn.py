"""`corsproxy learn`: proposes the allowlist that the refused calls would need."""

import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import IO

import click

from corsproxy.cli.diffs import print_diff
from corsproxy.cli.failures import Exit, Failed, Failure, raise_all, refusing
from corsproxy.cli.files import default_file, editable, opened, rewrite
from corsproxy.cli.options import config_option, option
from corsproxy.cli.terminal import is_terminal
from corsproxy.config.editing.edits import File
from corsproxy.config.learning.har import NotHarError, read_har
from corsproxy.config.learning.hosts import Hosts, Request
from corsproxy.config.learning.json_log import read_log_line, request_in
from corsproxy.config.learning.observations import Observation, Seen, refused_calls
from corsproxy.config.learning.proposal import Proposal, propose
from corsproxy.config.learning.unfollowed import with_unfollowed
from corsproxy.config.learning.unused import unused
from corsproxy.config.problems import escape
from corsproxy.core.origins.hosts import is_public_suffix
from corsproxy.core.policy import Policy

_WITHOUT_FILE = "name the file (corsproxy learn … -c FILE), or write one (corsproxy init)"
_LONGEST_LINE = 1 << 20
_MOST_UNBROKEN = 64 << 20
_LARGEST_HAR = 256 << 20
_MOST_SHOWN = 60
_MAKE_A_LOG = (
    "make a log with corsproxy --log-format=json >corsproxy.log; a HAR file from the browser's"
    " DevTools will do, too"
)


@click.command()
@click.argument("logs", nargs=-1, metavar="[LOG|HAR|-]...", type=click.Path())
@config_option
@option(
    "--origin-suffix",
    "suffixes",
    multiple=True,
    metavar="DOMAIN",
    help="Also propose https origins and hosts under a domain of yours; may be repeated.",
)
@option("--unused", "want_unused", is_flag=True, help="List the entries that allowed nothing.")
@option("--write", is_flag=True, help="Ask, then write the file.")
@click.pass_context
def command(
    ctx: click.Context,
    logs: tuple[str, ...],
    config: str | None,
    suffixes: tuple[str, ...],
    want_unused: bool,
    write: bool,
) -> None:
    """Propose the smallest allowlist that would have let the refused calls through.

    LOG holds JSON log lines of corsproxy, HAR is an export of a browser's DevTools, and - is
    standard input, also the default. The proposal is a diff; each addition says how often it was
    missing, and when last.

    Only origins on this machine, and origins and hosts under an --origin-suffix, are proposed,
    because the log also has pages that somebody merely visited. "*" and "null" are never
    proposed.

    With --unused, lists the entries that allowed nothing in the given logs instead.

    The exit code is 0, or 2 if a file is neither a log nor a HAR file.
    """
    if write and not (is_terminal("stdin") and is_terminal("stdout")):
        raise click.UsageError("--write asks before it writes, and there is no terminal.")
    domains = [_domain(each) for each in suffixes]
    file = editable(config or default_file(_WITHOUT_FILE))
    logs = logs or ("-",)
    with refusing(file.name):
        policy = file.reading.policy
        servers = {f"{each.scheme}://{each.authority}" for each in policy.listen}
        hosts = Hosts(domains)
        requests = _noted(_requests_in(logs, servers), logs)
        calls = with_unfollowed(hosts.calls(requests))
        if want_unused:
            _print_unused(policy, calls, hosts)
            return
        proposal = propose(file, refused_calls(policy, calls), domains, hosts.refused)
    _print(file, proposal)
    if write and proposal.additions and click.confirm(f"\nWrite {file.name}?"):
        rewrite(file, proposal.after)
        click.echo(f"{escape(file.name)}: written")


def _domain(text: str) -> str:
    domain = text.lower().removeprefix("*").strip(".")
    if "/" in domain or ":" in domain or not domain:
        raise click.UsageError(f"--origin-suffix {text!r}: write a domain, such as example.com.")
    if is_public_suffix(domain):
        sentence = f"--origin-suffix {text!r}: anyone can get a name under .{domain}."
        raise click.UsageError(f"{sentence} Write a domain of your own.")
    return domain


def _requests_in(names: Iterable[str], servers: Collection[str]) -> Iterator[Request]:
    """Yield the requests in all files. Raises at the end what failed in any of them."""
    failures = Failed()
    for name in names:
        try:
            yield from _requests(name, servers)
        except Failure as error:
            failures.append(error)
    raise_all(failures)


def _requests(name: str, servers: Collection[str]) -> Iterator[Request]:
    """Yield the requests in a log or a HAR file. Raises Failure if it cannot be read."""
    if name == "-":
        if sys.stdin is None:
            raise Failure("cannot read standard input: it is closed", Exit.USAGE)
        if is_terminal("stdin"):
            click.echo("corsproxy: reading log lines from standard input, up to Ctrl-D", err=True)
        yield from _read(sys.stdin.buffer, "standard input", servers)
        return
    with opened(name) as source:
        yield from _read(source, name, servers)


def _read(source: IO[bytes], name: str, servers: Collection[str]) -> Iterator[Request]:
    first = source.readline(_LONGEST_LINE)
    if (first.lstrip().startswith(b"{") and not first.rstrip().endswith(b"}")) or b'"log"' in first:
        text = (first + source.read(_LARGEST_HAR)).decode("utf-8", "replace")
        try:
            yield from read_har(text.removeprefix("\ufeff"), servers)
        except NotHarError as error:
            message = f"{name}{error.place} is neither a log of JSON lines nor a HAR file: {error}"
            raise Failure(message, Exit.USAGE, _MAKE_A_LOG) from None
        return
    yield from _read_lines(source, first, name)


def _read_lines(source: IO[bytes], first: bytes, name: str) -> Iterator[Request]:
    line, unread = first, ""
    unbroken = known = 0
    while line:
        text = line.decode("utf-8", "replace")
        record = read_log_line(text)
        if record is not None:
            known += 1
            found = request_in(record)
            if found is not None:
                yield found
        unread = unread or text.strip()
        unbroken = 0 if line.endswith(b"\n") else unbroken + len(line)
        if unbroken > _MOST_UNBROKEN:
            # A device may go on for ever.
            message = f"{name} is not a log of JSON lines: one line is longer than 64 MiB"
            raise Failure(message, Exit.USAGE)
        line = source.readline(_LONGEST_LINE)
    if unread and not known:
        shown = unread if len(unread) <= _MOST_SHOWN else f"{unread[:_MOST_SHOWN]}…"
        message = f"{name} is not a log of corsproxy's JSON lines; its first line is: {shown}"
        raise Failure(message, Exit.USAGE, _MAKE_A_LOG)


def _noted(requests: Iterable[Request], names: Sequence[str]) -> Iterator[Request]:
    """Pass the requests on, and print a note if there are none, or none from a page."""
    note = "no requests in {}"
    for each in requests:
        if each.call is not None:
            note = ""
        elif note:
            note = "no request in {} names its page's origin (Playwright's HAR files never do)"
        yield each
    if note:
        click.echo(f"corsproxy: {note.format(escape(', '.join(names)))}", err=True)


def _print_unused(policy: Policy, calls: Iterable[Observation], hosts: Hosts) -> None:
    found = unused(policy, calls, hosts.used)
    for each in found.entries:
        click.echo(f"{each.kind} {escape(each.value)}  {escape(str(each.at))}")
    if not found.entries:
        click.echo("every entry allowed something")
    if found.unjudged:
        keys = ", ".join(found.unjudged)
        click.echo(f"corsproxy: what was observed does not show the use of {keys}", err=True)


def _print(file: File, proposal: Proposal) -> None:
    name = escape(file.name)
    if proposal.additions:
        print_diff(file.name, proposal.before, proposal.after)
        click.echo()
        rows = [
            (f"{each.kind} {each.value}" + _on(each.route), _words(each.seen))
            for each in proposal.additions
        ]
        _print_rows(rows)
    else:
        click.echo(f"{name}: nothing to add for what was refused")
    if proposal.others:
        click.echo("\nNot proposed:")
        _print_rows(
            [(each.origin, f"{_words(each.seen)}: {each.reason}") for each in proposal.others]
        )


def _print_rows(rows: Sequence[tuple[str, str]]) -> None:
    width = max(len(escape(left)) for left, _ in rows)
    for left, right in rows:
        click.echo(f"  {escape(left):<{width}}  {escape(right)}")


def _on(route: str | None) -> str:
    return "" if route is None else f" on route {route}"


def _words(seen: Seen) -> str:
    times = "once" if seen.times == 1 else f"{seen.times} times"
    words = f"{times}, last at {seen.last}" if seen.last else times
    if seen.unfollowed:
        words += f": no call came after {_count(seen.unfollowed)} that passed"
    return words


def _count(preflights: int) -> str:
    return "a preflight" if preflights == 1 else f"{preflights} preflights"
