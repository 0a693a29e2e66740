"""The frontend: who asks for what, what is refused, and what every response carries."""

from corsproxy.core.guard import DOT_SEGMENT
from corsproxy.core.methods import FORWARDED_METHODS
from corsproxy.export import expressions, steps
from corsproxy.export.haproxy.text import anchored, formatted, quoted
from corsproxy.export.layout import Lines, comment
from corsproxy.export.plan import Cors, Plan, at

_TEXTS = {**steps.TEXTS, 413: "The body of this request is too large."}
_NAMES = "req.fhdr(access-control-request-headers)"
_METHOD = "req.fhdr(access-control-request-method)"


def decision(plan: Plan) -> Lines:
    """Return the rules for requests, in order."""
    return [
        "",
        *_who(),
        "",
        *_routes(plan),
        "",
        *_origins(plan),
        "",
        *_refusals(plan),
        "",
        *_preflights(plan),
        "",
        *_admission(plan),
        "",
        "http-request set-var(txn.asked) bool(true)",
        *(f"use_backend {route.id} if {{ var(txn.route) -m str {route.id} }}"
          for route in plan.routes),
    ]  # fmt: skip


def _who() -> Lines:
    return [
        comment("Who asks. Several Origin lines become an origin that is on no list."),
        "http-request set-var(txn.origin) req.fhdr(origin)",
        "http-request set-var(txn.origin) str(several) if { req.fhdr_cnt(origin) gt 1 }",
        "http-request set-var(txn.host) req.fhdr(host),lower",
        "http-request set-var-fmt(txn.self) 'http://%[req.fhdr(host)]'",
        "http-request set-var-fmt(txn.self) 'https://%[req.fhdr(host)]' if { ssl_fc }",
        "http-request set-var(txn.plain) 'var(txn.host),regsub(:80$,)'",
        "http-request set-var(txn.secure) 'var(txn.host),regsub(:443$,)'",
        "http-request set-var-fmt(txn.plain) 'http://%[var(txn.plain)]'",
        "http-request set-var-fmt(txn.secure) 'https://%[var(txn.secure)]'",
        "acl has_origin var(txn.origin) -m len gt 0",
        "acl granted var(txn.granted) -m found",
        comment("Fetch Metadata is trusted either way; without it, Origin is compared with Host."),
        ("http-request set-var(txn.own) bool(true) if { req.fhdr(sec-fetch-site) -m str"
        " same-origin none } { req.fhdr_cnt(sec-fetch-site) eq 1 }"),
        ("http-request set-var(txn.own) bool(true) if !{ req.fhdr(sec-fetch-site) -m found }"
        " { var(txn.origin),strcmp(txn.secure) eq 0 }"),
        ("http-request set-var(txn.own) bool(true) if !{ req.fhdr(sec-fetch-site) -m found }"
        " !{ ssl_fc } { var(txn.origin),strcmp(txn.plain) eq 0 }"),
        "acl own var(txn.own) -m bool",
        "acl upgrading req.fhdr(upgrade) -m len gt 0",
        "acl options method OPTIONS",
        "acl asks_for_a_method req.fhdr(access-control-request-method) -m found",
    ]  # fmt: skip


def _routes(plan: Plan) -> Lines:
    lines = [comment("The route with the longest path that is a prefix on whole segments.")]
    lines += [
        f"http-request set-var(txn.route) str({route.id}) if !{{ var(txn.route) -m found }}"
        f" {{ path -m reg {anchored(route.taken)} }} {comment(at(route.route.source))}"
        for route in plan.routes
    ]
    if not plan.is_ambiguous_possible:
        return lines
    lines.append(comment("The route that an upstream which decodes or merges could read it as."))
    for route in plan.routes:
        lines.append(
            f"http-request set-var(txn.read_as) str({route.id})"
            f" if !{{ var(txn.read_as) -m found }} {{ path -m reg {anchored(route.read_as)} }}"
        )
    return lines


def _origins(plan: Plan) -> Lines:
    lines: Lines = [comment("Which origin is granted, by the route's policy.")]
    lines.append(f"http-request set-var(txn.cors) str({plan.default.id})")
    for route in plan.routes:
        own = plan.cors_of(route).id
        lines.append(
            f"http-request set-var(txn.cors) str({own}) if {{ var(txn.route) -m str {route.id} }}"
        )
        if route.cors is None:
            lines.append(
                "http-request set-var(txn.passthrough) bool(true)"
                f" if {{ var(txn.route) -m str {route.id} }}"
            )
    lines.append("acl passthrough var(txn.passthrough) -m bool")
    for cors in plan.cors:
        lines += _granted(cors)
    return lines


def _granted(cors: Cors) -> Lines:
    lines = [f"acl is_{cors.id} var(txn.cors) -m str {cors.id}"]
    if cors.is_any:
        return [*lines, f"http-request set-var(txn.granted) str(*) if is_{cors.id}"]
    too_long = f"(?!.{{{cors.longest + 1}}})"
    for expression, _, source in cors.origins:
        word = anchored(f"{too_long}(?:{expression})")
        lines.append(f"acl {cors.id}_origin var(txn.origin) -m reg {word} {comment(at(source))}")
    if cors.origins:
        lines.append(
            "http-request set-var(txn.granted) var(txn.origin)"
            f" if is_{cors.id} {cors.id}_origin has_origin"
        )
    return lines


def _refusals(plan: Plan) -> Lines:
    lines = [
        comment("Refused for every origin; the response still carries the grant."),
        _answer(405, "{ method -i CONNECT TRACE TRACK }"),
        f"acl known_method method {' '.join(sorted(FORWARDED_METHODS))}",
        _answer(501, "!known_method"),
        *_hosts(plan),
        f"acl dots path -m reg -i {quoted(DOT_SEGMENT)}",
        _answer(400, "dots"),
        _answer(400, "{ url -m reg '[#\\x80-\\xff]' }"),
    ]
    if plan.policy.limits.body is not None:
        lines.insert(1, _answer(413, "too_large"))
    if plan.is_ambiguous_possible:
        lines += [
            "http-request set-var(txn.route_name) var(txn.route)",
            _answer(400, "{ var(txn.read_as) -m found } !{ var(txn.route) -m found }"),
            _answer(400, "{ var(txn.read_as) -m found }"
                         " !{ var(txn.read_as),strcmp(txn.route) eq 0 }"),
        ]  # fmt: skip
    return lines


def _hosts(plan: Plan) -> Lines:
    places = comment(f"{at(plan.policy.allowed_hosts_source)}: allowed_hosts")
    lines = [
        f"acl well_formed_host req.fhdr(host) -m reg {anchored(expressions.WELL_FORMED_HOST)}",
        _answer(400, "{ req.fhdr(host) -m found } !well_formed_host"),
    ]
    if plan.policy.any_host:
        return lines
    named = expressions.named_hosts(plan.policy.allowed_hosts)
    return [
        *lines,
        places,
        *(
            f"acl allowed_host var(txn.host) -m reg {anchored(name + expressions.PORT)}"
            for name in named
        ),
        (
            "acl unspecified_host var(txn.host) -m reg"
            f" {anchored(f'(?:{expressions.UNSPECIFIED}){expressions.PORT}')}"
        ),
        _answer(421, "{ req.fhdr(host) -m found } unspecified_host"),
        _answer(421, "{ req.fhdr(host) -m found } !allowed_host"),
    ]


def _answer(status: int, condition: str) -> str:
    text = f"content-type text/plain string {quoted(_TEXTS[status])}"
    return f"http-request return status {status} {text} if {condition}"


def _preflights(plan: Plan) -> Lines:
    """A preflight that no route takes gets the default policy's response."""
    lines = [
        comment("Fetch: a preflight is OPTIONS with Origin and Access-Control-Request-Method."),
        (
            "http-request set-var(txn.preflight) bool(true)"
            " if options has_origin asks_for_a_method !passthrough"
        ),
        "acl preflight var(txn.preflight) -m bool",
        _answer(403, "preflight !granted"),
        "http-request set-var(txn.answered_preflight) bool(true) if preflight",
    ]
    for cors in plan.cors:
        lines += _preflight(cors)
    return lines


def _preflight(cors: Cors) -> Lines:
    rules, name = cors.rules, cors.id
    condition = f"if preflight is_{name}"
    fits = (
        f"acl {name}_fits {_METHOD} -m reg {anchored(expressions.allowed_methods(rules))}",
        f"acl {name}_names {_NAMES} -m reg -i {quoted(f'^{expressions.allowed_headers(rules)}$')}",
        f"acl {name}_names req.fhdr_cnt(access-control-request-headers) eq 0",
    )
    lines = [comment(f"{at(cors.source)}: preflights of {name}"), *fits]
    if rules.request_headers.any:
        names = f"http-request set-var(txn.names) {_NAMES}"
        lines.append(f"{names} {condition} {name}_names")
    else:
        listed = formatted(steps.allow_headers(rules) or ",")
        lines.append(f"http-request set-var-fmt(txn.names) {listed} {condition}")
        for added in steps.SAFELISTED:
            if added in rules.request_headers.names:
                continue
            asked = quoted(rf"(?:^|[\t ,]){added}(?:[\t ,]|$)")
            lines.append(f"http-request set-var-fmt(txn.names) '%[var(txn.names)], {added}'"
                         f" {condition} {{ {_NAMES} -m reg -i {asked} }}")  # fmt: skip
    methods = steps.allow_methods(rules)
    fields = f" hdr Access-Control-Allow-Methods {formatted(methods)}" if methods else ""
    fields += " hdr Access-Control-Allow-Headers '%[var(txn.names)]'"
    if rules.max_age is not None:
        age = f"{fields} hdr Access-Control-Max-Age {rules.max_age}"
        lines.append(
            f"http-request return status 204{age} {condition} {name}_fits {name}_names"
            " { req.fhdr_cnt(access-control-request-method) eq 1 }"
        )
    return [*lines, f"http-request return status 204{fields} {condition}"]


def _admission(plan: Plan) -> Lines:
    forwarding = [cors.id for cors in plan.cors if cors.rules.unlisted_origins == "forward"]
    lines = [comment("Who may cause effects: listed origins, this host's own pages, and no page.")]
    if not plan.takes_everything:
        lines.append(_answer(404, "!{ var(txn.route) -m found }"))
    if forwarding:
        lines += [
            *(f"acl forwards var(txn.cors) -m str {name}" for name in forwarding),
            _answer(403, "!passthrough has_origin !granted !own forwards upgrading"),
            _answer(403, "!passthrough has_origin !granted !own !forwards"),
        ]
    else:
        lines.append(_answer(403, "!passthrough has_origin !granted !own"))
    return [
        *lines,
        "http-request set-var(txn.vouched) bool(true) if has_origin granted !passthrough",
        "http-request set-var(txn.vouched) bool(true) if has_origin own !passthrough",
    ]


def answers(plan: Plan) -> Lines:
    """Return the rules for every response, the upstream's and HAProxy's own."""
    lines: Lines = [
        "",
        comment("These run for the upstream's responses, for `return` and for errors."),
        "acl from_upstream var(txn.answered) -m bool",
        "acl not_ours var(txn.passthrough) -m bool",
        "acl was_preflight var(txn.preflight) -m bool",
        "acl is_granted var(txn.granted) -m found",
        "acl is_vary_told res.hdr(vary) -m str -i origin *",
        comment("HAProxy answers 503 if the upstream cannot be reached."),
        (
            "http-after-response set-status 502 reason 'Bad Gateway'"
            " if { status 503 } { var(txn.asked) -m bool } !from_upstream"
        ),
        "http-after-response del-header access-control- -m beg if from_upstream !not_ours",
    ]
    for cors in plan.cors:
        lines += _grants(cors)
    lines.append(
        "http-after-response set-header Access-Control-Allow-Origin '%[var(txn.granted)]'"
        " if is_granted !not_ours or is_granted not_ours !from_upstream"
    )
    return lines


def _grants(cors: Cors) -> Lines:
    mine = f"{{ var(txn.cors) -m str {cors.id} }}"
    both = f"{mine} !not_ours {{0}} or {mine} not_ours !from_upstream {{0}}"
    set_header = "http-after-response set-header"
    lines = [comment(f"{at(cors.source)}: the grant of {cors.id}")]
    exposed = dict(steps.actual_grant(cors.rules)).get("Access-Control-Expose-Headers")
    if exposed is not None:
        value = formatted(exposed) if isinstance(exposed, str) else "'%[res.hdr_names]'"
        condition = both.replace("{0}", "is_granted !was_preflight")
        lines.append(f"{set_header} Access-Control-Expose-Headers {value} if {condition}")
    if cors.rules.credentials:
        condition = both.replace("{0}", "is_granted")
        lines.append(f"{set_header} Access-Control-Allow-Credentials true if {condition}")
    if cors.is_any:
        return lines
    told = next(step.vary for step in steps.steps(cors.rules) if step.status == 204)
    return [
        *lines,
        f"{set_header} Vary {quoted(told)} if {mine} was_preflight",
        ("http-after-response add-header Vary Origin"
        f" if {both.replace('{0}', '!was_preflight !is_vary_told')}"),
    ]  # fmt: skip
