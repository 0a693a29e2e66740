"""`corsproxy test`: checks expectations about an allowlist."""

import os
import re
from functools import partial

import click

from corsproxy.cli.failures import Exit, Failure, each_of, raise_all, refusing, starting
from corsproxy.cli.options import format_option, option
from corsproxy.cli.terminal import wants_color
from corsproxy.cli.trials import Trials, judge_answers, live_plan, read_subject, run_offline
from corsproxy.config.mistakes import BadValueError
from corsproxy.config.problems import annotation, escape
from corsproxy.config.short_upstream import full_upstream
from corsproxy.config.upstreams import parse_upstream
from corsproxy.core.source import Source
from corsproxy.shell.feed.ansi import Style, paint

DEFAULT_TEST_FILE = "corsproxy.test.yaml"

_WITHOUT_FILE = "write one: `config: corsproxy.yaml` and `cases:`, as `corsproxy test --help` shows"


def _url(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    """A click callback. Raises click.BadParameter."""
    if value is None:
        return None
    scheme, is_url, rest = value.partition("://")
    if not is_url:
        likely = full_upstream(value.lstrip("/") or "api.example.com")
        raise click.BadParameter(f"write a URL: {likely}")
    if scheme.lower() not in ("http", "https"):
        raise click.BadParameter("write a URL that begins with https:// or http://")
    try:
        parse_upstream(f"{scheme}://{re.sub('^[^/?#]*@', '', rest)}")
    except BadValueError as mistake:
        remedy = f" ({mistake.help})" if mistake.help else ""
        raise click.BadParameter(f"{mistake.message}{remedy}") from None
    return f"{scheme.lower()}://{rest}"


@click.command()
@click.argument("file", nargs=-1, type=click.Path())
@format_option(
    "text",
    "json",
    "github",
    "junit",
    help="github: annotations for pull requests; junit: XML for test reports.",
)
@option(
    "--live",
    metavar="URL",
    callback=_url,
    help="Ask the deployment at URL instead of the allowlist file.",
)
@click.pass_context
def command(ctx: click.Context, file: tuple[str, ...], form: str, live: str | None) -> None:
    """Check the expectations in FILE, ./corsproxy.test.yaml by default.

    \b
    config: corsproxy.yaml
    cases:
      - origin: https://app.example.com
        request: PUT /v1/users
        headers: [content-type]
        credentials: true
        expect: allowed  # or refused, forwarded, a code, {code: …, at: file:line}

    Lists of origins, requests or header lists stand for every combination. In addition, origins
    that look like an entry of the allowlist must be refused. The decisions are those of the
    server, and nothing is sent.

    With --live, the same questions go to a running deployment, this proxy or any other, and are
    judged by what a browser would make of its responses. Only GET, HEAD and preflights are sent.

    The exit code is 0 if everything is as expected, 1 if not, 2 for a FILE that is missing or
    broken, 3 if URL cannot be reached.
    """
    if not file:
        if not os.path.lexists(DEFAULT_TEST_FILE):
            message = f"there is no {DEFAULT_TEST_FILE} in this directory"
            raise Failure(message, Exit.USAGE, _WITHOUT_FILE)
        file = (DEFAULT_TEST_FILE,)
    found, failures = each_of(file, partial(_trials, live))
    trials = Trials(
        tuple(each for one in found for each in one.cases),
        tuple(each for one in found for each in one.look_alikes),
        tuple(each for one in found for each in one.findings),
    )
    printers = {"text": _text, "json": _json, "github": _github, "junit": _junit}
    for line in printers[form](trials) if found else ():
        click.echo(line, color=True)
    raise_all(failures, form)
    if not trials.passed:
        ctx.exit(Exit.FINDINGS)


def _trials(live: str | None, name: str) -> Trials:
    with refusing(name, Exit.USAGE):
        subject = read_subject(name)
    with refusing(subject.config):
        if live is None:
            return run_offline(subject)
        plan = live_plan(subject)
    # Imported here: aiohttp takes longer to import than all the rest.
    from corsproxy.shell.deployment import judge_deployment

    with starting():
        return judge_answers(subject, plan, judge_deployment(live, plan.calls))


def _text(trials: Trials) -> list[str]:
    color = wants_color("stdout")
    lines = []
    for case in trials.cases:
        style = Style.GREEN if case.passed else Style.RED
        mark = paint("✓" if case.passed else "✗", style, color=color)
        lines.append(f"{mark} {escape(case.case.title)}")
        if not case.passed:
            at = f"{case.file}:{case.case.source.line}"
            lines.append(f"    {escape(f'{at}: {case.failure}')}")
            lines += [f"    {escape(line)}" for line in case.why.splitlines()]
    for entry, kind, origin, is_allowed in trials.look_alikes:
        if not is_allowed:
            continue
        mark = paint("✗", Style.RED, color=color)
        lines.append(f"{mark} {escape(origin)} is allowed: a look-alike ({kind}) of {entry}")
        lines.append(f"    {escape(str(entry.source))}")
    for finding in trials.findings:
        mark = paint("✗", Style.RED, color=color)
        words = f"{finding.code}: {finding.request} from {finding.origin}: {finding.message}"
        lines.append(f"{mark} {escape(words)}")
    return [*lines, _summary(trials)]


def _summary(trials: Trials) -> str:
    passed = sum(case.passed for case in trials.cases)
    alike = sum(not each.is_allowed for each in trials.look_alikes)
    parts = [
        f"{passed} of {len(trials.cases)} as expected",
        f"{alike} of {len(trials.look_alikes)} look-alikes refused",
    ]
    if trials.findings:
        count = len(trials.findings)
        parts.append(f"{count} other finding{'s' if count > 1 else ''}")
    return ", ".join(parts)


def _json(trials: Trials) -> list[str]:
    cases = [
        {
            "name": each.case.name,
            "file": each.file,
            "line": each.case.source.line,
            "origin": each.case.call.origin,
            "request": each.case.request,
            "expected": str(each.case.expected.what),
            "got": each.got,
            "at": each.at,
            "passed": each.passed,
        }
        for each in trials.cases
    ]
    alike = [
        {
            "entry": each.entry.text,
            "at": str(each.entry.source),
            "kind": each.kind,
            "origin": each.origin,
            "passed": not each.is_allowed,
        }
        for each in trials.look_alikes
    ]
    members: dict[str, object] = {"cases": cases, "look_alikes": alike}
    if trials.findings:
        members["findings"] = [each._asdict() for each in trials.findings]
    # Imported here: most output is for people.
    import json

    return [json.dumps(members, indent=2)]


def _github(trials: Trials) -> list[str]:
    lines = []
    for case in trials.cases:
        if not case.passed:
            text = f"{case.case.title}: {case.failure}"
            place = case.case.source
            lines.append(annotation("error", place, 1, "expectation", escape(text)))
    for entry, kind, origin, is_allowed in trials.look_alikes:
        if is_allowed:
            text = f"{origin} is allowed, a look-alike ({kind}) of {entry}"
            lines.append(
                annotation("error", entry.source, len(entry.text), "look-alike", escape(text))
            )
    for finding in trials.findings:
        text = f"{finding.request} from {finding.origin}: {finding.message}"
        lines.append(annotation("error", Source("live"), 1, finding.code, escape(text)))
    return lines


def _junit(trials: Trials) -> list[str]:
    tests = [
        (case.file, case.case.title, "" if case.passed else f"{case.failure}\n{case.why}")
        for case in trials.cases
    ]
    tests += [
        (
            "look-alikes",
            f"{each.kind} of {each.entry}: {each.origin}",
            "it is allowed" if each.is_allowed else "",
        )
        for each in trials.look_alikes
    ]
    tests += [("live", f"{each.code}: {each.request}", each.message) for each in trials.findings]
    failures = sum(bool(why) for _, _, why in tests)
    return [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<testsuite name="corsproxy" tests="{len(tests)}" failures="{failures}">',
        *(_junit_case(*each) for each in tests),
        "</testsuite>",
    ]


def _junit_case(classname: str, name: str, why: str) -> str:
    start = f"  <testcase classname={_attribute(classname)} name={_attribute(name)}"
    if not why:
        return f"{start}/>"
    message, _, _ = why.partition("\n")
    # Imported here: it imports an HTTP client.
    from xml.sax.saxutils import escape as xml_escape

    text = xml_escape("\n".join(map(escape, why.splitlines())))
    return f"{start}><failure message={_attribute(message)}>{text}</failure></testcase>"


def _attribute(text: str) -> str:
    from xml.sax.saxutils import quoteattr

    return quoteattr(escape(text))
