"""The text shown when the proxy is ready: where it is, who may call it, what to do."""

import textwrap
from collections.abc import Iterator, Sequence

from corsproxy import __version__
from corsproxy.config.problems import escape
from corsproxy.core.forwarding_summary import brief_forwarding_summary
from corsproxy.core.origins import LOOPBACK_ORIGINS
from corsproxy.core.policy import CorsRules, Policy, Route
from corsproxy.shell.feed.ansi import Style, paint
from corsproxy.shell.system.binding import Listeners

_MAX_ROUTES = 12
_MAX_ORIGINS = 4
_LABEL_WIDTH = 12
_TEXT_AT = 2 + 1 + 2 + _LABEL_WIDTH + 1

LOOPBACK_PAGES = "pages on localhost, *.localhost, 127.0.0.1 and [::1], any port"


def banner(
    policy: Policy,
    listeners: Listeners,
    *,
    file: str | None,
    live: bool = False,
    metrics: bool = True,
    started_ms: float | None = None,
    keys: bool = False,
    color: bool = False,
    width: int = 100,
    inspector: str | None = None,
) -> str:
    """Return the lines. `file` is None if the upstream came from the command line; `live` says
    that edits of it take effect. `metrics` says whether /metrics is available.

    `started_ms` is how long the start took; None if the lines are shown again. `keys` says
    whether keys can be pressed. `width` is that of the terminal. `inspector` is the
    inspector's URL; None without one.
    """
    arrow = paint("➜", Style.GREEN, color=color)
    title = paint(f"CORSPROXY v{__version__}", Style.BOLD, Style.GREEN, color=color)
    ready = "" if started_ms is None else f"  ready in {started_ms:.0f} ms"
    lines = ["", f"  {title}{ready}", ""]
    rows = [*_rows(policy, listeners, file, live, metrics)]
    if inspector is not None:
        rows.append(("Inspector", inspector))
    for label, text in rows:
        name = paint(f"{label + ':':<{_LABEL_WIDTH}}", Style.BOLD, color=color)
        first, *more = _fitted(escape(text), width - _TEXT_AT)
        lines.append(f"  {arrow}  {name} {first}")
        lines += [f"{'':{_TEXT_AT}}{each}" for each in more]
    if keys:
        lines.append(f"  {arrow}  press h + enter for help")
    lines.append("")
    return "\n".join(lines)


def _fitted(text: str, width: int) -> list[str]:
    """Wrap a text into lines without breaking addresses."""
    wrapped = textwrap.wrap(
        text, max(width, 20), break_long_words=False, break_on_hyphens=False, drop_whitespace=True
    )
    return wrapped if len(text) > width else [text]


def _rows(
    policy: Policy, listeners: Listeners, file: str | None, live: bool, metrics: bool
) -> Iterator[tuple[str, str]]:
    """Yield labels and texts."""
    urls = [bound.url for bound in listeners.proxy]
    only = policy.routes[0] if len(policy.routes) == 1 else None
    if only is not None and only.path == b"/":
        for url in urls:
            yield "Proxy", f"{url}  →  {only.upstream}"
        hint = "" if file else "  (--allow-origin adds others)"
        yield "Allowed", f"{_allowed(only)}{hint}"
        if isinstance(only.cors, CorsRules) and only.cors.credentials:
            yield "Cookies", "allowed pages call it with their user's cookies"
        if only.upstream.socket_path is None:
            yield "In your app", f"replace  {only.upstream}/…  with  {urls[0]}/…"
        yield "Upstream", brief_forwarding_summary(only)
    else:
        for url in urls:
            yield "Proxy", url
        yield from _route_rows(policy.routes)
        if any(isinstance(r.cors, CorsRules) and r.cors.credentials for r in policy.routes):
            yield "Cookies", "pages of a route with credentials call it with their user's cookies"
    if policy.listener_tls is None and listeners.https:
        yield "https", "browsers trust the certificate once you have run  corsproxy trust"
    if any(not bound.is_loopback for bound in listeners.proxy):
        yield "Network", "other machines can reach this port too"
    if file is not None:
        yield "Policy", f"{file}  (saved edits take effect at once)" if live else file
    if listeners.admin is not None:
        yield "Admin", f"{listeners.admin.url}/readyz  /livez{'  /metrics' * metrics}"


def _route_rows(routes: Sequence[Route]) -> Iterator[tuple[str, str]]:
    shown = routes[:_MAX_ROUTES]
    width = max((len(route.path) for route in shown), default=0)
    for route in shown:
        path = route.path.decode("ascii", "backslashreplace")
        yield (
            "Route",
            f"{path:<{width}}  →  {route.upstream}  for {_allowed(route)}{_address_note(route)}",
        )
    if len(routes) > len(shown):
        yield "Route", f"and {len(routes) - len(shown)} more"


def _address_note(route: Route) -> str:
    """Say which address the upstream is told, if it is not its own."""
    return f"  ({brief_forwarding_summary(route)})" if route.tells_public_address else ""


def _allowed(route: Route) -> str:
    if not isinstance(route.cors, CorsRules):
        return "the origins that the upstream allows"
    texts = [pattern.text for pattern in route.cors.origins.patterns]
    if set(LOOPBACK_ORIGINS) <= set(texts):
        texts = [LOOPBACK_PAGES, *(text for text in texts if text not in LOOPBACK_ORIGINS)]
    if not texts:
        return "no origin"
    more = f" and {len(texts) - _MAX_ORIGINS} more" if len(texts) > _MAX_ORIGINS else ""
    return ", ".join(texts[:_MAX_ORIGINS]) + more
