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
    """The export to one engine."""

    write: Callable[[Plan], tuple[Lines, list[Loss]]]
    versions: str
    """The versions that the tests run the export on."""
    always: tuple[str, ...]
    """The losses of every export."""


ENGINES: Mapping[str, str] = {
    "nginx": "corsproxy.export.nginx.configuration",
    "envoy": "corsproxy.export.envoy.configuration",
    "haproxy": "corsproxy.export.haproxy.configuration",
    "caddy": "corsproxy.export.caddy.configuration",
    "traefik": "corsproxy.export.traefik.configuration",
    "gateway-api": "corsproxy.export.gateway_api",
}
"""The engines with their modules, which are imported when needed."""


def engine_of(name: str) -> Engine:
    """Return the export to `name`, one of ENGINES."""
    module = import_module(ENGINES[name])
    return Engine(module.write, module.VERSIONS, module.ALWAYS)


class NothingToExportError(ValueError):
    """None of the file's listeners can be exported."""


class Exported(NamedTuple):
    """A whole configuration, comments included, and its losses."""

    text: str
    """Bytes of the file that are not UTF-8 are surrogates (PEP 383)."""
    losses: tuple[Loss, ...]
    """In the order of the file."""
    always: tuple[str, ...]


def export(name: str, policy: Policy, file: str, places: Mapping[str, Source]) -> Exported:
    """Return the policy as a configuration for `name`, one of ENGINES.

    `file` is the file's name, `places` are the places of its keys. Raises NothingToExportError.
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
        comment(f"Tested with {engine.versions}. Edit {file}, and export it again."),
        "#",
        comment("Always: the losses of every export to this engine"),
        *(comment(f"  {words}") for words in engine.always),
        "#",
        comment("Of this file: " + ("" if losses else "nothing else is lost")),
        *(comment(f"  {loss}") for loss in losses),
        "",
        *body,
    ]
    return Exported("\n".join(lines) + "\n", losses, engine.always)
