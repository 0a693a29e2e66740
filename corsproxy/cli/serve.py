"""`corsproxy serve`: puts the parts together and runs the proxy.

aiohttp takes longer to import than everything before it, so mistakes in flags or in the
file are reported without it.
"""

import logging
import os
import secrets
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple

import click
from click.core import ParameterSource

from corsproxy.cli.addresses import (
    admin_address,
    listen_addresses,
    port_number,
    port_of_listeners,
)
from corsproxy.cli.banner import banner
from corsproxy.cli.durations import duration
from corsproxy.cli.ending import leave
from corsproxy.cli.failures import Exit, Failure, RefusedConfig, exit_of_start, starting
from corsproxy.cli.files import default_file, mount_warnings, read_bytes, read_to_serve, tls_fault
from corsproxy.cli.flags import Flags
from corsproxy.cli.inspecting import OFF_WITH_WORKERS, inspector_address, wants_inspector
from corsproxy.cli.options import ServerCommand, config_option, environment_variable, one_of, option
from corsproxy.cli.process import run
from corsproxy.cli.quick import check_without_upstream, quick_of, quick_options, typed
from corsproxy.cli.terminal import is_interactive, is_terminal, wants_color
from corsproxy.cli.upstream import policy_of
from corsproxy.cli.worker import supervisors_channel, work
from corsproxy.config.https import https_mistakes
from corsproxy.config.problems import ConfigError, Problem
from corsproxy.config.reader import Reading
from corsproxy.config.routes import is_same_place
from corsproxy.config.without_file import Quick
from corsproxy.core.policy import LogFormat, Policy
from corsproxy.core.source import DEFAULT_FILE
from corsproxy.errors import StartError
from corsproxy.shell.feed.announcements import Announcer, FaultLog, LineFormat, Terms, dropped_lines
from corsproxy.shell.feed.layout import terminal_width
from corsproxy.shell.feed.outlet import Outlet
from corsproxy.shell.feed.recent_refusals import Refusals
from corsproxy.shell.system.binding import Listeners, bind_all
from corsproxy.shell.system.descriptors import affordable_clients, descriptor_limit, raise_limit

if TYPE_CHECKING:
    from corsproxy.shell.run.lifecycle import Workforce
    from corsproxy.shell.workers.channel import WorkerSetup

_MOST_WORKERS = 64

_WITHOUT_FILE = (
    "name an upstream (corsproxy https://api.example.com), name a file (corsproxy -c FILE), "
    "or write one (corsproxy init)"
)


class Source(NamedTuple):
    """The origin of the policy: a file or the command line."""

    policy: Policy
    warnings: tuple[Problem, ...]
    file: str | None
    content: bytes

    @property
    def is_live(self) -> bool:
        """Whether the file may change: a pipe is read only once."""
        return self.file is not None and os.path.isfile(self.file)


@click.command(cls=ServerCommand)
@config_option
@option(
    "-l",
    "--listen",
    multiple=True,
    callback=listen_addresses,
    metavar="[https://]HOST:PORT",
    help="Address for browsers; may be repeated (in the variable: separated by spaces). Port 0 "
    "takes a free one.  "
    "[default: localhost:8010]",
)
@option(
    "-p",
    "--port",
    callback=port_number,
    metavar="PORT",
    help="Only the port, on localhost or on the addresses that the file or CORSPROXY_LISTEN "
    "names; 0 takes a free one.  [default: 8010]",
)
@option(
    "--https",
    is_flag=True,
    help="Speak https. On loopback the certificate is one that browsers trust after `corsproxy "
    "trust`. With UPSTREAM, or a file without `listen`.",
)
@option(
    "--admin",
    callback=admin_address,
    metavar="HOST:PORT|off",
    help="Address for probes and metrics.  [default: localhost:8011]",
)
@quick_options
@option(
    "--log-format",
    type=click.Choice(["auto", "text", "json"]),
    help="auto means text at a terminal and json elsewhere.",
)
@option(
    "--drain-delay",
    callback=duration,
    metavar="DURATION",
    help="How long requests are still accepted after SIGTERM.  [default: 0s]",
)
@option(
    "--shutdown-grace",
    callback=duration,
    metavar="DURATION",
    help="How long requests in flight may take after that.  [default: 10s]",
)
@option(
    "--workers",
    type=click.IntRange(1, _MOST_WORKERS),
    default=1,
    metavar="N",
    help="How many processes answer requests; more than one needs Linux.  [default: 1]",
)
@option(
    "-q",
    "--quiet",
    is_flag=True,
    help="Log only refusals, failures and what browsers block.",
)
@option("--open", is_flag=True, help="Open the proxy's address in a browser.")
@option(
    "--inspect/--no-inspect",
    default=None,
    help="Show each call as it happens, on the admin listener.  [default: at a terminal]",
)
@click.argument("upstream", required=False, envvar=environment_variable("--upstream"))
def command(config: str | None, upstream: str | None, workers: int, **params: Any) -> None:
    """Run the proxy.

    With UPSTREAM, a URL, `host[:port]` or a port, pages on this machine may call it, with
    every method, header and credentials. Without it, the allowlist file decides. Flags override
    the file.
    """
    started = time.monotonic()
    ctx = click.get_current_context()
    flags = _flags(ctx, params)
    config, upstream = one_of(ctx, config=config, upstream=upstream)
    quick = None if upstream is None else quick_of(upstream, params)._replace(typed=typed(ctx))
    channel = supervisors_channel()
    with starting():
        if channel is not None:
            leave(work(channel, flags, quick))
        raise_limit()
        if quick is None:
            check_without_upstream(params)
        source = _source(config, quick, flags)
        source = source._replace(policy=flags.applied_to(source.policy))
        _check_not_itself(source)
        _check_https(source)
        if workers > 1 and sys.platform != "linux":
            raise StartError("--workers needs Linux, whose kernel distributes the connections")
        at_terminal = is_terminal("stdout")
        inspects = wants_inspector(source.policy, params["inspect"], at_terminal=at_terminal)
        if inspects and workers > 1:
            inspects = False
            source = source._replace(warnings=(*source.warnings, OFF_WITH_WORKERS))
        listeners = bind_all(source.policy.listen, source.policy.admin, workers)
        if params["open"]:
            _open(listeners.proxy[0].url)
        code = _run(source, listeners, flags, started, inspects=inspects)
    leave(code)


def _flags(ctx: click.Context, params: Mapping[str, Any]) -> Flags:
    port = port_of_listeners(ctx, params["listen"], params["port"])
    of_environment = frozenset(
        name
        for name in ctx.params
        if ctx.get_parameter_source(name) is ParameterSource.ENVIRONMENT
        and (name != "port" or port is not None)
    )
    return Flags(
        params["listen"],
        params["admin"],
        params["log_format"],
        params["drain_delay"],
        params["shutdown_grace"],
        os.urandom(4).hex(),
        of_environment,
        params["https"],
        port,
        params["quiet"],
    )


def _open(url: str) -> None:
    """Open `url` in a browser, which connects while the rest of the start goes on."""
    import webbrowser

    threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()


def _source(config: str | None, quick: Quick | None, flags: Flags) -> Source:
    if quick is not None:
        policy = policy_of(quick)
        fault = tls_fault(policy.routes[0].tls)
        if fault is not None:
            message = f"--ca-file {fault.path} cannot be used: {fault.reason}"
            raise Failure(message, Exit.NOT_STARTED, "name a PEM file with certificates")
        return Source(policy, (), None, b"")
    file = config or default_file(_WITHOUT_FILE)
    content = read_bytes(file)
    try:
        reading = read_to_serve(content, file)
    except ConfigError as error:
        raise RefusedConfig(file, error.problems, exit_of_start(error.problems)) from None
    if flags.https and not flags.listen and "listen" in reading.head:
        raise click.UsageError(
            f"--https goes with UPSTREAM or a file without `listen`. In {file}, write "
            f"`listen: {replace(reading.policy.listen[0], https=True)}`."
        )
    warnings = (
        flags.remaining_warnings(reading) + mount_warnings(file) + flags.override_warnings(reading)
    )
    warnings += _descriptor_warnings(reading)
    return Source(reading.policy, warnings, file, content)


def _descriptor_warnings(reading: Reading) -> tuple[Problem, ...]:
    """Warn if there are not enough descriptors for `limits.connections`."""
    wanted, affordable = reading.policy.limits.connections, affordable_clients()
    if wanted is None or affordable is None or wanted <= affordable:
        return ()
    message = (
        f"limits.connections is {wanted}, but the process may open only {descriptor_limit()} "
        f"files, which is enough for {affordable} clients; more of them get 503"
    )
    help = "raise the hard limit of open files (ulimit -n, LimitNOFILE), or lower the number"
    at = reading.head["limits.connections"]
    return (Problem("warning", "too-few-descriptors", message, at, help=help),)


def _check_https(source: Source) -> None:
    """Raises RefusedConfig if flags ask for https without a certificate, and StartError if
    none can be made."""
    found = [
        Problem("error", "https-without-tls", message, at, help=help)
        for at, message, help in https_mistakes(source.policy)
    ]
    if found:
        raise RefusedConfig(source.file or "the command line", found, Exit.REFUSED_CONFIG)
    if any(address.https for address in source.policy.listen):
        from corsproxy.shell.certificates.served import prepare

        prepare(source.policy)


def _check_not_itself(source: Source) -> None:
    """Raises click.UsageError. For a file, reading only warns: its other routes may work."""
    for route in source.policy.routes if source.file is None else ():
        for address in source.policy.listen:
            if is_same_place(route.upstream, address):
                raise click.UsageError(
                    f"UPSTREAM: {route.upstream} is where this proxy itself listens. Name the "
                    "API's own address, or let the proxy listen on another port with -l."
                )


def _run(
    source: Source, listeners: Listeners, flags: Flags, started: float, *, inspects: bool
) -> int:
    form = _line_format(source.policy.log.format)
    stdout = None if sys.stdout is None else sys.stdout.fileno()
    outlet = Outlet(stdout, dropped_line=dropped_lines(form))
    announcer = Announcer(outlet.write, form, color=form == "text" and wants_color("stdout"))
    logging.getLogger().addHandler(FaultLog(announcer))
    announcer.warned(source.warnings)
    if source.file is None and os.path.exists(DEFAULT_FILE):
        announcer.note(f"{DEFAULT_FILE} is not read: the command line names an upstream.")
    # Event loops on Windows cannot wait for keys.
    interactive = form == "text" and os.name == "posix" and is_interactive()
    token = secrets.token_urlsafe(24) if inspects else None
    address = inspector_address(listeners, token)

    def shown(policy: Policy, first: bool) -> str:
        return banner(
            policy,
            listeners,
            file=source.file,
            live=source.is_live,
            metrics=find_spec("prometheus_client") is not None,
            started_ms=(time.monotonic() - started) * 1000 if first else None,
            keys=interactive,
            color=announcer.color,
            width=terminal_width(),
            inspector=address,
        )

    try:
        # Workers do not share their refusals, and a pipe cannot be edited.
        offers = interactive and len(listeners.shares) == 1
        offers = offers and (source.file is None or source.is_live)
        refusals = Refusals() if offers else None
        terms = Terms(outlet, announcer, shown, interactive, refusals, token, address)
        return _serve(source, listeners, flags, terms)
    finally:
        outlet.close()


def _serve(source: Source, listeners: Listeners, flags: Flags, terms: Terms) -> int:
    # Slow imports come here, after all the checks.
    from corsproxy.shell.run import lifecycle

    file = None
    if source.file is not None and source.is_live:
        reread = partial(_reread, source.file, flags)
        file = lifecycle.PolicyFile(source.file, source.content, source.warnings, reread)
    workforce = partial(_workforce, source, listeners, flags, terms)
    return run(lambda: lifecycle.run(source.policy, listeners, file, terms, workforce))


def _workforce(source: Source, listeners: Listeners, flags: Flags, terms: Terms) -> "Workforce":
    announcer, shares = terms.announcer, listeners.shares
    form, color = announcer.form, announcer.color
    if len(shares) == 1:
        from corsproxy.shell.run.engine import Engine
        from corsproxy.shell.run.single_process import SingleProcess

        write = terms.outlet.write
        engine = Engine(
            source.policy,
            write,
            form,
            color=color,
            refusals=terms.refusals,
            https=listeners.https,
        )
        return SingleProcess(engine, shares[0])
    from corsproxy.shell.workers.channel import text_of
    from corsproxy.shell.workers.supervisor import Supervisor

    setup: WorkerSetup = {
        "shares": [[each.fileno() for each in share] for share in shares],
        "https": listeners.https,
        "file": source.file,
        "content": text_of(source.content),
        "instance": flags.instance,
        "form": form,
        "color": color,
    }
    return Supervisor(source.policy, setup, shares, announcer, terms.outlet.sink)


def _reread(file: str, flags: Flags, content: bytes) -> Reading:
    reading = read_to_serve(content, file)
    policy = flags.applied_to(reading.policy)
    warnings = (
        flags.remaining_warnings(reading)
        + flags.override_warnings(reading)
        + _descriptor_warnings(reading)
    )
    return reading._replace(policy=policy, warnings=warnings)


def _line_format(log_format: LogFormat) -> LineFormat:
    if log_format != "auto":
        return log_format
    return "text" if is_terminal("stdout") else "json"
