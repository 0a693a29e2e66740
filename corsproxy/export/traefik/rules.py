"""Routers' rules: texts in backticks, joined by `&&` and `||`."""

from corsproxy.export import expressions
from corsproxy.export.plan import Cors, Plan, RoutePlan
from corsproxy.export.steps import Asker, Step

PREFLIGHT = (
    "Method(`OPTIONS`) && HeaderRegexp(`Origin`, `.`)"
    " && HeaderRegexp(`Access-Control-Request-Method`, `.`)"
)
_HAS_ORIGIN = "HeaderRegexp(`Origin`, `.`)"
_SAYS = "HeaderRegexp(`Sec-Fetch-Site`, `.`)"
_IPV6 = r"\[?[0-9a-f.]*:[0-9a-f:.]*\]?"


def text(content: str) -> str:
    """Quote a regular expression for a rule; backticks in it become their code."""
    return "`" + content.replace("`", r"\x60") + "`"


def path_of(expression: str) -> str:
    """Return a rule for an expression that must match the whole path."""
    if expression == ".*":
        return "PathPrefix(`/`)"
    return f"PathRegexp({text(f'^(?:{expression})$')})"


def allowed(cors: Cors) -> str:
    """Return a rule for the origins of a list."""
    rule = f"HeaderRegexp(`Origin`, {text(f'^(?:{cors.origin})$')})"
    if cors.has_wildcards:
        rule += f" && HeaderRegexp(`Origin`, `^.{{0,{cors.longest}}}$`)"
    return rule


def own(plan: Plan) -> str:
    """Return a rule for pages of this host: as browsers say themselves, or otherwise by each name
    with each port that is listened on."""
    names = ["localhost", "127.0.0.1", "[::1]", *sorted(plan.policy.allowed_hosts)]
    pairs = [f"({_host(name)} && {_page(plan, name)})" for name in names]
    by_name = " || ".join(pairs)
    return f"HeaderRegexp(`Sec-Fetch-Site`, `^(?:same-origin|none)$`) || !{_SAYS} && ({by_name})"


def _host(name: str) -> str:
    """Match an IPv6 address with and without brackets: versions differ in which one they
    compare."""
    bare = expressions.literal(name.strip("[]"))
    expression = rf"\[?{bare}\]?" if name.startswith("[") else bare
    return f"HostRegexp({text(f'^{expression}$')})"


def _page(plan: Plan, name: str) -> str:
    found = []
    for address in plan.listen:
        schemes = "https" if address.https else "https?"
        default = address.port == (443 if address.https else 80)
        found.append(
            f"{schemes}://{expressions.literal(name)}" + ("" if default else f":{address.port}")
        )
    return f"HeaderRegexp(`Origin`, {text('^(?:' + '|'.join(found) + ')$')})"


def hosts(plan: Plan) -> str:
    """Return a rule for the allowed host names."""
    names = expressions.named_hosts(plan.policy.allowed_hosts, _IPV6)
    # Traefik also compares a second name, which is empty for a rule.
    unspecified = r"0\.0\.0\.0|\[?[0.]*:[0:.]*\]?|\[?[0:]*:ffff:[0:.]+\]?"
    listed = f"HostRegexp({text('^(?i:' + '|'.join(names) + ')$')})"
    return f"{listed} && !HostRegexp({text('^(?i:' + unspecified + ')$')})"


def methods(names: list[str]) -> str:
    """Return a rule for any of these methods."""
    return " || ".join(f"Method({text(name)})" for name in names)


def step_rule(plan: Plan, cors: Cors, step: Step) -> str:
    """Return the rule of a step, without its path."""
    parts = [PREFLIGHT] if step.preflight else []
    match step.asker:
        case Asker.ALLOWED:
            parts.append(allowed(cors))
        case Asker.ABSENT:
            parts.append(f"!{_HAS_ORIGIN}")
        case Asker.SAME:
            parts.append(f"({own(plan)})")
        case Asker.REST:
            pass
    if step.fits:
        names = f"(?i)^{expressions.allowed_headers(cors.rules)}$"
        method = f"^(?:{expressions.allowed_methods(cors.rules)})$"
        parts.append(f"HeaderRegexp(`Access-Control-Request-Method`, {text(method)})")
        parts.append(
            "(!HeaderRegexp(`Access-Control-Request-Headers`, `.`)"
            f" || HeaderRegexp(`Access-Control-Request-Headers`, {text(names)}))"
        )
    if step.upgrade:
        parts.append("HeaderRegexp(`Upgrade`, `.`)")
    return " && ".join(parts)


def joined(*parts: str) -> str:
    """Return a rule that requires all of them."""
    return " && ".join(f"({part})" if " || " in part else part for part in parts if part)


def read_as(route: RoutePlan) -> str:
    """Return a rule for what may be read as a path of the route, but is literally another's."""
    return f"{path_of(route.read_as)} && !{path_of(route.taken)}"
