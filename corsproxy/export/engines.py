"""The engines, and one function that exports to any of them."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import NamedTuple

from corsproxy import __version__
from corsproxy.core.policy import Policy
from corsproxy.core.source import Source
from corsproxy.export.layout import Lines, comment
from corsproxy.export.losses import Loss, in_order
from corsproxy.export.plan import Plan, make_plan


class Engine(NamedTuple):
    """What another proxy is exported by."""

    write: Callable[[Plan], tuple[Lines, list[Loss]]]
    versions: str
    """Where the tests run what is exported."""
    always: tuple[str, ...]
    """What every export loses."""


ENGINES: Mapping[str, str] = {
    "nginx": "corsproxy.export.nginx.configuration",
    "envoy": "corsproxy.export.envoy.configuration",
    "haproxy": "corsproxy.export.haproxy.configuration",
    "caddy": "corsproxy.export.caddy.configuration",
    "traefik": "corsproxy.export.traefik.configuration",
    "gateway-api": "corsproxy.export.gateway_api",
}
"""The engines, and the module of each; it is imported when it is needed."""


def engine_of(name: str) -> Engine:
    """Return what exports to `name`, one of ENGINES."""
    module = import_module(ENGINES[name])
    return Engine(module.write, module.VERSIONS, module.ALWAYS)


class NothingToExportError(ValueError):
    """Where nothing of the file's listeners can be exported."""


class Exported(NamedTuple):
    """A whole configuration, comments included, and what it loses."""

    text: str
    """Bytes of the file that are no UTF-8 are surrogates in it (PEP 383)."""
    losses: tuple[Loss, ...]
    """In the order of the file."""
    always: tuple[str, ...]


def export(name: str, policy: Policy, file: str, places: Mapping[str, Source]) -> Exported:
    """Return the policy as `name`, one of ENGINES, takes it.

    `file` is what the file is called, `places` where its keys stand. Raises NothingToExportError.
    """
    engine = engine_of(name)
    plan = make_plan(policy, file, places)
    if not plan.listen:
        raise NothingToExportError("\n".join(map(str, in_order(plan.losses))))
    body, found = engine.write(plan)
    losses = in_order([*plan.losses, *found])
    lines = [
        comment(
            f"{file} for {name}, made by `corsproxy export {name}` of corsproxy {__version__}."
        ),
        comment(f"Proved on {engine.versions}. Edit {file}, and export it again."),
        "#",
        comment("Always: what every export to this engine loses"),
        *(comment(f"  {words}") for words in engine.always),
        "#",
        comment("Of this file: " + ("" if losses else "nothing else is lost")),
        *(comment(f"  {loss}") for loss in losses),
        "",
        *body,
    ]
    return Exported("\n".join(lines) + "\n", losses, engine.always)
