"""What to do about a refusal or a failure, in one or two sentences.

With a configuration file, hints name its keys. Without one, they name flags, and suggest a
file only for what has no flag.
"""

import shlex
from collections.abc import Sequence

from corsproxy.core.advice.remedies import Remedy, command_of, remedy_for, sentence_of
from corsproxy.core.advice.settings import file_to_write, is_quick, restart
from corsproxy.core.advice.upstream_causes import ADVICE
from corsproxy.core.methods import KNOWN_METHODS, NORMALIZED_METHODS
from corsproxy.core.origins import near_misses, parse_origin
from corsproxy.core.policy import CorsRules, Policy
from corsproxy.core.source import DEFAULT_FILE
from corsproxy.core.verdicts import ORIGIN_REFUSED, Code, Verdict
from corsproxy.errors import UpstreamCause

_ALLOWLIST_REFUSED = (*ORIGIN_REFUSED, Code.METHOD_NOT_ALLOWED, Code.HEADER_NOT_ALLOWED)

_NO_ROUTE = (
    "No route takes this path: add one under `routes`, or an `upstream` at the top of the file"
    " for every path that no route takes."
)

# `{upstream}` is the key or flag that names the upstream; `{file}`, `{set}` and `{end}` say where
# a setting goes.
_TEMPLATES: dict[Code, str] = {
    Code.UPSTREAM_UNREACHABLE: "Check that the upstream is running and that {upstream} has its"
    " address and port; in a container, localhost is the container itself.",
    Code.UPSTREAM_DNS: "Check the host name in {upstream}.",
    Code.UPSTREAM_TLS: "Check the scheme, the host name and the certificate; for a private"
    " authority, or a self-signed certificate, {ca_file}",
    Code.UPSTREAM_CONNECT_TIMEOUT: "Check the address in {upstream} and the network between; to"
    " wait longer, {set}timeout: {{connect: 30s}}{end}",
    Code.UPSTREAM_RESPONSE_TIMEOUT: "To wait longer, {set}timeout: {{response: 5m}}{end}",
    Code.UPSTREAM_CLOSED: "This is only a guess: the port may expect TLS, and {upstream} should"
    " then begin with https://.",
    Code.UPSTREAM_MALFORMED: "Check that {upstream} speaks HTTP/1.1 on that port, and whether it"
    " is https.",
    Code.CONNECTION_AUTH: "Let the upstream offer a scheme that authenticates each request, such as"
    " Bearer or Basic; or reach corsproxy directly, not through the proxy in `trusted_proxies`.",
    Code.NO_DESCRIPTOR: "Raise the proxy's hard limit of open files (`ulimit -Hn`): a client that"
    " waits for an answer takes two.",
    Code.UPSTREAM_BUSY: "To send it more requests at once, set {file}`limits: {{in_flight: ...}}`.",
    Code.UPSTREAM_HEAD_TOO_LARGE: "To take more, set {file}`limits:"
    " {{upstream_field_section: ...}}`.",
    Code.AMBIGUOUS_PATH: "Write the path as the route has it: letters and digits as they are,"
    " single slashes, and no `;` in the route's part.",
    Code.TARGET_TOO_LONG: "To take longer ones, set {file}`limits: {{target: ...}}`.",
    Code.FIELDS_TOO_LARGE: "Often it is cookies, which all ports of localhost share: delete some."
    " To take more, set {file}`limits: {{field: ..., field_section: ..., fields: ...}}`.",
    Code.BODY_TOO_LARGE: "To take larger ones, set {file}`limits: {{body: ...}}`.",
    Code.HEAD_TIMEOUT: "To wait longer, set {file}`limits: {{head_timeout: ...}}`.",
    Code.BODY_TIMEOUT: "To wait longer, set {file}`limits: {{body_timeout: ...}}`.",
    Code.CONNECTIONS_FULL: "To take more at once, set {file}`limits: {{connections: ...}}`.",
    Code.LOOP: "Name the API itself in {upstream}, and not this proxy: check the host, the port,"
    " and where that name leads from here.",
}


_PASSTHROUGH = (
    "The route's CORS is passthrough, so this answer of the proxy's own has no grant: the page"
    ' gets no more than "Failed to fetch".'
)


def hint_for(
    verdict: Verdict,
    policy: Policy,
    rules: CorsRules | None = None,
    *,
    remedies: Sequence[Remedy] | None = None,
    is_shown: bool = True,
) -> str | None:
    """Return what to do about a refusal under `policy`, or a failure of an upstream; None
    where nothing helps.

    `rules` are those that decided, if known, and `remedies` all that the call needs. A command
    to run comes last; `is_shown` says whether it may repeat the flags that were given.
    """
    if remedies is None:
        first = remedy_for(verdict, policy)
        remedies = [] if first is None else [first]
    hint = _hint_for(verdict, policy, rules, remedies, is_shown)
    passthrough = [each.name for each in policy.routes if each.cors == "passthrough"]
    if verdict.withheld and verdict.route in passthrough:
        return _PASSTHROUGH if hint is None else f"{_PASSTHROUGH} {hint}"
    return hint


def _hint_for(
    verdict: Verdict,
    policy: Policy,
    rules: CorsRules | None,
    remedies: Sequence[Remedy],
    is_shown: bool,
) -> str | None:
    if verdict.cause is not None:
        return _of_cause(verdict.cause, policy, is_shown)
    template = _TEMPLATES.get(verdict.code)
    if verdict.code is Code.UPSTREAM_CLOSED and not _asks_in_clear(policy, verdict.route):
        return None
    if template is not None:
        return _of_upstream(template, policy, is_shown)
    if verdict.code is Code.NO_ROUTE:
        return _NO_ROUTE
    if verdict.code in _ALLOWLIST_REFUSED and verdict.route is None:
        return _NO_ROUTE
    sentences = []
    remark = _remark(verdict, rules or rules_of(policy, verdict.route))
    if remark is not None:
        sentences.append(remark)
    remedy = remedies[0] if remedies else None
    command = command_of(remedies)
    if remedy is not None and remedy.is_flag:
        flag = (remedy.at.name, remedy.value)
        sentences.append(restart(policy, *flag, is_shown=is_shown))
    elif remedy is not None and not remedy.in_file and is_quick(policy):
        where = file_to_write(policy, is_shown=is_shown, then=remedy.command_in(DEFAULT_FILE))
        sentences.append(f'add "{remedy.value}" to `{remedy.key}` {where}')
    elif remedy is not None:
        sentences.append(sentence_of(remedies))
    if not sentences:
        return None
    text = " ".join(f"{capital(sentence.rstrip('.'))}." for sentence in sentences)
    # It is copied into a shell, so no full stop follows it.
    if command is not None:
        return f"{text.removesuffix('.')}, or run: {command}"
    return text.removesuffix(".") if remedy is not None and not remedy.in_file else text


def hint_for_client(verdict: Verdict, policy: Policy, rules: CorsRules | None = None) -> str | None:
    """Return the hint as any page may read it: files are named without their directories."""
    hint = hint_for(verdict, policy, rules, is_shown=False)
    if hint is None:
        return None
    sources = [route.source for route in policy.routes]
    if verdict.at is not None:
        sources.append(verdict.at)
    for source in sources:
        base = source.without_directory.name
        for name in (shlex.quote(source.name), source.name):
            hint = hint.replace(name, shlex.quote(base) if name != source.name else base)
    return hint


def rules_of(policy: Policy, route: str | None) -> CorsRules:
    """Return the rules of the route of that name; the default ones if it has none."""
    for each in policy.routes:
        if each.name == route and isinstance(each.cors, CorsRules):
            return each.cors
    return policy.default_cors


def _asks_in_clear(policy: Policy, route: str | None) -> bool:
    """Whether the route's upstream is reached over TCP without TLS."""
    upstreams = [each.upstream for each in policy.routes if each.name == route]
    return any(each.scheme == "http" and each.socket_path is None for each in upstreams)


def credentials_hint(origin: str) -> str:
    """Return what to write where `"*"` allows a page on `origin` that calls with credentials."""
    if parse_origin(origin.encode("utf-8")) is None:
        return "No page with this origin can have credentials: serve it from one of its own."
    return (
        '"*" allows every page, and so none of them with credentials: write the page\'s own'
        f' origin in its place, allow_origins: ["{origin}"], and allow_credentials: true.'
    )


def _of_cause(cause: UpstreamCause, policy: Policy, is_shown: bool) -> str:
    advice = ADVICE[cause]
    return _of_upstream(advice.file if _has_file(policy) else advice.flags, policy, is_shown)


def _has_file(policy: Policy) -> bool:
    """Whether the policy comes from a file rather than the command line."""
    return all(route.source.line for route in policy.routes)


def _of_upstream(template: str, policy: Policy, is_shown: bool) -> str:
    if _has_file(policy):
        # The short form, with `upstream` at the top of the file, has no room for a route's keys.
        end = "` on its route under `routes`."
        ca_file = f"set `tls: {{ca_file: cert.pem}}{end}"
        return template.format(
            upstream="`upstream`", file="", set="set `", end=end, ca_file=ca_file
        )
    text = template.format(
        upstream="the URL that corsproxy was started with",
        file="",
        set="set `",
        end="`.",
        ca_file=restart(policy, "--ca-file", "cert.pem", is_shown=is_shown),
        insecure=restart(policy, "--insecure", is_shown=is_shown),
    )
    if "{set}" not in template and "{file}" not in template:
        return text
    return f"{text.removesuffix('.')} {file_to_write(policy, is_shown=is_shown)}"


def _remark(verdict: Verdict, rules: CorsRules) -> str | None:
    """Return what to know before changing the allowlist: often the list is right, and the call
    is wrong."""
    if verdict.code in (Code.METHOD_NOT_ALLOWED, Code.METHOD_NOT_IMPLEMENTED):
        return _about_method(verdict.subject)
    if verdict.code not in ORIGIN_REFUSED:
        return None
    if verdict.code is Code.ORIGIN_EXPIRED:
        at = verdict.at
        place = f" ({at})" if at is not None and at.line else ""
        return f"to allow it again, give its entry a later `until`{place}"
    if not verdict.subject:
        return "The Origin of the request is not one well-formed origin; browsers send no other"
    if verdict.subject == "null":
        return (
            "The page has the opaque origin null (a sandboxed frame, a data: or file: page, "
            "or a redirect between origins): serve it from a real origin instead"
        )
    near = near_misses(verdict.subject.encode(), rules.origins)
    return near[0].sentence if near else None


def _about_method(method: str) -> str | None:
    """Say what is wrong with the method itself: browsers put only some into upper case (Fetch,
    "normalize a method")."""
    upper = method.upper()
    if method in KNOWN_METHODS:
        return None
    if upper in KNOWN_METHODS and upper not in NORMALIZED_METHODS:
        return (
            "browsers send this method as the script writes it, and methods are compared by case:"
            f" write {upper} in the call"
        )
    return "this proxy forwards only methods that are registered for HTTP"


def capital(sentence: str) -> str:
    """Capitalise a sentence, unless it begins with an origin."""
    if "://" in sentence.partition(" ")[0]:
        return sentence
    return sentence[:1].upper() + sentence[1:]
