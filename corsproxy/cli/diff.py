"""`corsproxy diff`: what one allowlist file allows that another does not."""

import re
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

import click

from corsproxy.cli.failures import Exit, each_of, raise_all, refusing
from corsproxy.cli.files import read, read_source
from corsproxy.cli.options import format_option, option
from corsproxy.cli.terminal import print_json, wants_color
from corsproxy.config.differences import Difference, differences
from corsproxy.config.problems import annotation, escape
from corsproxy.core.policy import Policy
from corsproxy.shell.feed.ansi import Style, paint

_WHAT = {
    "credentials": "credentials are {} allowed",
    "expose": "response header {value} is {} exposed",
} | dict.fromkeys(("origin", "method", "header", "host"), "{kind} {value} is {} allowed")
"""What is said of an entry. Everything else is a setting."""
_SETTING = "{kind}: {value} is {} set"
_KEY = re.compile(r"[a-z_]+(?=:(?:\s|$))")


@click.command()
@click.argument("old", metavar="OLD", type=click.Path())
@click.argument("new", metavar="NEW", type=click.Path())
@format_option(
    "text", "json", "github", help="json: a list of objects; github: annotations for pull requests."
)
@option("--no-wider", is_flag=True, help="Exit with 1 if NEW allows something that OLD does not.")
@click.pass_context
def command(ctx: click.Context, old: str, new: str, form: str, no_wider: bool) -> None:
    """Compare what two allowlist files allow: their meaning, not their text.

    For each route, lists the origins, methods, headers and credentials that only NEW allows
    and those that only OLD allows, with their lines, and the entries that last longer in one of
    them. An entry that another one covers for as long as it lasts makes no difference.
    OLD or NEW may be -, standard input:

        git show main:corsproxy.yaml | corsproxy diff - corsproxy.yaml

    The exit code is 0; with --no-wider it is 1 if something is newly allowed, or for longer.
    """
    if old == new == "-":
        raise click.UsageError("only one of OLD and NEW can be standard input.")
    read_files, failures = each_of((old, new), _read)
    raise_all(failures, form)
    before, after = read_files
    found = differences(before.policy, after.policy)
    if form == "json":
        print_json([_as_json(each) for each in found])
    elif form == "github":
        for each in found:
            file = after if each.change == "allowed" else before
            click.echo(_annotation(each, file, "error" if no_wider else "warning"))
    else:
        _print(found)
    if no_wider and any(each.is_wider for each in found):
        ctx.exit(Exit.FINDINGS)


class _File(NamedTuple):
    policy: Policy
    lines: list[str]

    def length(self, found: Difference) -> int:
        """Return how much to underline: the value, or the key under which it is or would be."""
        line = self.lines[found.at.line - 1][found.at.column - 1 :] if found.at.line else ""
        value = found.value.partition(": ")[0] if found.kind == "until" else found.value
        if line.lstrip("'\"").startswith(value):
            return len(value)
        key = _KEY.match(line)
        return len(key[0]) if key else 1


def _read(file: str) -> _File:
    content, name = read_source(file)
    with refusing(name):
        policy = read(content, name).policy
    return _File(policy, content.decode("utf-8", "replace").removeprefix("\ufeff").splitlines())


def _as_json(found: Difference) -> dict[str, str | None]:
    return {
        "change": found.change,
        "route": found.route,
        "kind": found.kind,
        "value": found.value,
        "at": str(found.at),
    }


def _annotation(found: Difference, file: _File, if_wider: Literal["error", "warning"]) -> str:
    level = if_wider if found.is_wider else "notice"
    text = escape(_sentence(found))
    return annotation(level, found.at, file.length(found), found.change, text)


def _sentence(found: Difference) -> str:
    where = "" if found.route is None else f" on route {found.route}"
    is_new = found.change == "allowed"
    if found.kind == "until":
        origin, _, days = found.value.partition(": ")
        new, _, old = days.partition(", was " if is_new else ", now ")
        if not is_new:
            new, old = old, new
        return f"origin {origin} is allowed {_up_to(new)} instead of {_up_to(old)}{where}"
    change = "newly" if is_new else "no longer"
    sentence = _WHAT.get(found.kind, _SETTING)
    return sentence.format(change, kind=found.kind, value=found.value) + where


def _up_to(day: str) -> str:
    return "without end" if day == "none" else f"until {day}"


def _print(found: Sequence[Difference]) -> None:
    if not found:
        click.echo("no difference in what is allowed")
        return
    color = wants_color("stdout")
    width = max(len(f"{each.kind} {escape(each.value)}") for each in found)
    for heading, lines in _by_route(found).items():
        click.echo(heading)
        for each in lines:
            sign, style = ("+", Style.GREEN) if each.change == "allowed" else ("-", Style.RED)
            words = f"{sign} {each.kind} {escape(each.value)}"
            painted = paint(f"{words:<{width + 2}}", style, color=color)
            click.echo(f"  {painted}  {escape(str(each.at))}", color=True)


def _by_route(found: Iterable[Difference]) -> dict[str, list[Difference]]:
    """Return the differences by route; routes with the same changes share an entry."""
    routes: dict[str | None, list[Difference]] = {}
    for each in found:
        routes.setdefault(each.route, []).append(each)
    alike: dict[tuple[Difference, ...], list[str]] = {}
    for name, lines in routes.items():
        same = tuple(each._replace(route=None) for each in lines)
        alike.setdefault(same, []).append("the proxy" if name is None else name)
    headings = {}
    for lines_alike, names in alike.items():
        word = "route" if len(names) == 1 else "routes"
        title = names[0] if names == ["the proxy"] else f"{word} {', '.join(map(escape, names))}"
        headings[title] = list(lines_alike)
    return headings
