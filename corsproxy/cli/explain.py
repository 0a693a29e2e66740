"""`corsproxy explain`: the decision that the server would take, in words."""

import os
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

import click

from corsproxy.cli.diffs import print_diff
from corsproxy.cli.durations import day
from corsproxy.cli.failures import Exit, Failure, refusing, starting
from corsproxy.cli.files import default_file, editable, read, read_bytes
from corsproxy.cli.options import config_option, environment_variable, one_of, option
from corsproxy.cli.terminal import is_terminal, print_json, wants_color
from corsproxy.cli.upstream import policy_of
from corsproxy.config.editing.calls import Way, allow_call
from corsproxy.config.editing.diffs import diff
from corsproxy.config.editing.edits import File
from corsproxy.config.editing.splices import EditError
from corsproxy.config.problems import ConfigError, escape
from corsproxy.config.without_file import Quick
from corsproxy.core.explain.explanation import Explanation, explain
from corsproxy.core.links import LinkMap
from corsproxy.core.page_call import PageCall
from corsproxy.core.policy import Policy
from corsproxy.core.source import DEFAULT_FILE
from corsproxy.shell.feed.ansi import Style, paint
from corsproxy.shell.feed.layout import fitted, known_width

if TYPE_CHECKING:
    from corsproxy.core.explain.without_proxy import Asking, WithoutProxy

_MARKS = {
    "✓": Style.GREEN,
    "✗": Style.RED,
    "allowed:": Style.GREEN,
    "refused:": Style.RED,
    "forwarded:": Style.YELLOW,
}

_LOOPBACK = ("localhost", "127.0.0.1", "::1")

_WITHOUT_FILE = (
    "name an upstream before the path (corsproxy explain … https://api.example.com /users), name "
    "a file (-c FILE), or write one (corsproxy init)"
)


@click.command()
@config_option
# Not `option`: CORSPROXY_ORIGIN belongs to `serve --origin`, which means something else.
@click.option(
    "--origin", required=True, metavar="ORIGIN", help="The origin of the page that calls."
)
@option("--method", default="GET", show_default=True, metavar="METHOD", help="As in fetch().")
@click.option(
    "--header",
    "headers",
    multiple=True,
    metavar="NAME",
    help="A request header that the script sets; may be repeated.",
)
@option(
    "--at",
    "at",
    callback=day,
    metavar="DATE",
    help="Explain it for that day (UTC) instead of today: entries of the file may expire.",
)
@option("--credentials", is_flag=True, help='The script sets credentials: "include".')
@option(
    "--ask-upstream",
    is_flag=True,
    help="Also ask the upstream, and say whether the browser would need the proxy.",
)
@option(
    "--unsafe",
    is_flag=True,
    help="With --ask-upstream: send the call even if it may change something, as DELETE may.",
)
@option(
    "--save-case",
    "test_file",
    metavar="FILE",
    type=click.Path(),
    help="Add the call and its verdict to a file of expectations for `corsproxy test`.",
)
@option("--json", "as_json", is_flag=True, help="Print a JSON object instead of text.")
@click.argument("arguments", nargs=-1, required=True, metavar="[UPSTREAM] PATH")
@click.pass_context
def command(
    ctx: click.Context,
    config: str | None,
    origin: str,
    method: str,
    headers: tuple[str, ...],
    at: str | None,
    credentials: bool,
    ask_upstream: bool,
    unsafe: bool,
    test_file: str | None,
    as_json: bool,
    arguments: tuple[str, ...],
) -> None:
    """Explain what the proxy would decide about a page's call to PATH, and why.

    Prints every rule tested with its line, the verdict, the grant that would be sent, and the
    smallest edit that would allow the call. With UPSTREAM the policy is that of
    `corsproxy UPSTREAM`. The exit code is 0 if the call is allowed, 1 if it is refused. This
    is the proxy's decision: with `cors: passthrough` it is 0, and the upstream decides.

    Nothing is sent unless --ask-upstream is given. Then the upstream gets what the browser
    would send it without the proxy, the preflight first, and no cookies. A call that only reads
    is sent whatever the response to the preflight, as it would be through the proxy.
    """
    if unsafe and not ask_upstream:
        raise click.UsageError("--unsafe goes with --ask-upstream.")
    if len(arguments) > 2:
        raise click.UsageError(f"unexpected argument {arguments[2]!r}.")
    path = arguments[-1]
    if "://" in path:
        raise click.UsageError(_not_a_path(path, config if len(arguments) == 1 else None))
    upstream = arguments[0] if len(arguments) == 2 else None
    config, upstream = one_of(ctx, config=config, upstream=upstream)
    file = None if upstream is not None else _file(config, at)
    if file is None and os.path.exists(DEFAULT_FILE):
        click.echo(f"{DEFAULT_FILE} is not read: the command line names an upstream.", err=True)
    policy = policy_of(Quick(upstream or "")) if file is None else _file_policy(file)
    call = PageCall(origin, path, method, headers, credentials)
    try:
        explanation = explain(policy, call)
    except ValueError as error:
        sentence = str(error)
        raise click.UsageError(sentence if sentence.endswith("?") else f"{sentence}.") from None
    found = Found(
        explanation,
        file,
        None if file is None or explanation.allowed else _smallest_edit(file, call),
        _asked(policy, call, unsafe) if ask_upstream else None,
    )
    if as_json:
        print_json(found.to_json())
    else:
        _print(found)
    if test_file is not None:
        _save(test_file, file, explanation, at)
    ctx.exit(Exit.OK if explanation.allowed else Exit.FINDINGS)


def _save(test_file: str, file: File | None, explanation: Explanation, at: str | None) -> None:
    if file is None:
        raise click.UsageError("--save-case needs an allowlist file, and there is none.")
    # Imported here: a call is rarely saved.
    from corsproxy.cli.case_files import save_case

    save_case(test_file, file, explanation, at)


class Found(NamedTuple):
    """Everything to print about a call."""

    explanation: Explanation
    file: File | None
    edit: Way | EditError | None
    """The smallest edit that allows the call, or why it cannot be made; None if no edit of a
    file would allow it."""
    alone: "WithoutProxy | None"

    @property
    def outcome(self) -> str:
        """What the page would get through the proxy, in the log's words."""
        # Imported here, as below: the upstream is rarely asked.
        from corsproxy.core.explain.through_proxy import through_proxy

        return str(through_proxy(self.explanation, self.alone))

    def to_json(self) -> dict[str, object]:
        members = self.explanation.to_json()
        members["edit"] = members["no_edit"] = None
        members["commands"] = []
        if self.file is not None and isinstance(self.edit, Way):
            edit = self.edit.edit
            members["edit"] = diff(self.file.name, edit.before, edit.after)
            members["commands"] = self.edit.commands
        elif isinstance(self.edit, EditError):
            members["no_edit"] = self.edit.reason
        if self.alone is not None:
            members["without_proxy"] = self.alone.to_json()
            members["outcome"] = self.outcome
        return members


def _print(found: Found) -> None:
    width = known_width("stdout")
    click.echo(_colored(fitted(found.explanation.text(), width)), color=True)
    edit = found.edit
    if found.file is not None and isinstance(edit, Way):
        click.echo("\nThe smallest edit that allows it; corsproxy allow makes it:\n")
        print_diff(found.file.name, edit.edit.before, edit.edit.after)
        if len(edit.commands) > 1:
            click.echo(fitted(f"\nFor all of it, run: {escape(' && '.join(edit.commands))}", width))
    elif isinstance(edit, EditError):
        remedy = f": {edit.help}" if edit.help else ""
        sentence = f"corsproxy allow cannot make this edit: {edit.reason}{remedy}."
        click.echo(fitted(f"\n{escape(sentence)}", width))
    if found.alone is not None:
        from corsproxy.core.explain.through_proxy import words_through_proxy

        click.echo(f"\n{_colored(fitted(found.alone.text(), width))}", color=True)
        words = words_through_proxy(found.explanation, found.alone)
        click.echo(fitted(f"\nThrough the proxy, for the page: {escape(words)}", width))
        if found.outcome == "readable" and not found.explanation.call.credentials:
            remark = "(Explained without credentials; --credentials explains a call with them.)"
            click.echo(fitted(remark, width))


def _not_a_path(url: str, config: str | None) -> str:
    """Say what to write for `url`: the path on the proxy that leads there, if there is one."""
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    file = config or os.environ.get(environment_variable("--config")) or DEFAULT_FILE
    is_there = os.path.exists(file)
    known = _path_on_proxy(url, file) if is_there else None
    if known is not None:
        return f"PATH is a path on the proxy: use {known}"
    sentence = "PATH is a path on the proxy, such as /v1/users; an upstream comes before it"
    if slash and path:
        without = f" (and {file} is then not read)" if is_there else ""
        return f"{sentence}: {scheme}://{host} /{path}{without}"
    return f"{sentence}."


def _path_on_proxy(url: str, file: str) -> str | None:
    """Return the path under which the proxy of `file` reaches `url`, an address of an upstream
    or its own; None if there is none, or if the file is refused."""
    try:
        policy = read(read_bytes(file), file).policy
        parts = urlsplit(url)
        port = parts.port
    except (ConfigError, Failure, ValueError):
        return None
    for listen in policy.listen:
        names = _LOOPBACK if listen.host in _LOOPBACK else (listen.host,)
        if parts.scheme == "http" and parts.hostname in names and (port or 80) == listen.port:
            query = f"?{parts.query}" if parts.query else ""
            return (parts.path or "/") + query
    links = LinkMap(policy.link_bases, policy.routes[0], b"localhost", False)
    mapped = os.fsdecode(links.rewrite_url(os.fsencode(url.partition("#")[0])))
    start = "http://localhost/"
    return mapped[len(start) - 1 :] if mapped.startswith(start) and mapped != url else None


def _file(config: str | None, day: str | None) -> File:
    return editable(config or default_file(_WITHOUT_FILE), day)


def _file_policy(file: File) -> Policy:
    with refusing(file.name):
        return file.reading.policy


def _asked(policy: Policy, call: PageCall, unsafe: bool) -> "WithoutProxy":
    """Return what the browser would make of the upstream's own responses."""
    # Imported here: only this needs the connections.
    from corsproxy.core.explain.without_proxy import without_proxy
    from corsproxy.shell.upstream.inquiry import inquire

    def tell(asking: "Asking") -> None:
        # The response may take as long as the route's timeout.
        method, upstream = asking.request.method, str(asking.route.upstream)
        click.echo(f"asking {escape(upstream)} ({method}) ...", err=True)

    dialogue = without_proxy(policy, call, unsafe=unsafe)
    with starting():
        if is_terminal("stderr"):
            return inquire(dialogue, policy.limits, tell)
        return inquire(dialogue, policy.limits)


def _smallest_edit(file: File, call: PageCall) -> Way | EditError | None:
    """Return the edit that allows the call, or why it cannot be made; None if no entry would
    allow it."""
    try:
        return allow_call(file, call)
    except ConfigError as error:
        return EditError("its value would be refused", problems=error.problems)
    except EditError as error:
        return error


def _colored(text: str) -> str:
    color = wants_color("stdout")
    lines = []
    for line in text.split("\n"):
        mark, _, rest = line.strip().partition(" ")
        indent = " " * (len(line) - len(line.lstrip()))
        styles = [_MARKS[mark]] if mark in _MARKS else []
        text = f"{indent}{paint(escape(mark), *styles, color=color)}"
        lines.append(f"{text} {escape(rest)}" if rest else text)
    return "\n".join(lines)
