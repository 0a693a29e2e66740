"""`request_headers` and `response_headers`: what a route sets and removes.

A rule may not touch what this proxy is responsible for: framing, hop-by-hop fields and grants.
Everything else is up to the user (RFC 9110, 5.1, 5.5, 7.6.1). Names that CGI does not
distinguish are the same: `X_Admin` is `X-Admin`.
"""

from corsproxy.config.findings import Findings
from corsproxy.config.mistakes import BadValueError
from corsproxy.config.section import Section
from corsproxy.config.spelling import shown
from corsproxy.config.yaml.nodes import Mapping, Scalar, is_null
from corsproxy.core.fields import CORS_FIELD_PREFIX, HOP_BY_HOP, as_cgi, is_field_value, is_token
from corsproxy.core.messages import Field
from corsproxy.core.policy import HeaderRules

_OWN = {
    b"host": "the upstream's own host is sent; `preserve_host: true` sends the client's",
    b"content-length": "it says where the message ends",
    b"expect": "it is answered here and never sent on",
    b"via": "`via` at the top level names this proxy, or `via: false` leaves it out",
}
_EXAMPLE = "{set: {X-Name: value}, remove: [X-Other]}"


def read_header_rules(route: Section, key: str) -> HeaderRules:
    """Return the rules under `key`, "request_headers" or "response_headers"."""
    section = route.mapping(key, "headers", _EXAMPLE)
    if section is None:
        return HeaderRules()
    fields = _read_set(section)
    removed = _read_remove(section, {as_cgi(name) for name, _ in fields})
    return HeaderRules(fields, removed, section.findings.source(section.node))


def _read_set(section: Section) -> tuple[Field, ...]:
    node = section.get("set")
    if node is None:
        return ()
    findings, path = section.findings, section.where("set")
    if not isinstance(node, Mapping):
        help = "write a mapping of names to values, such as `{X-Name: value}`"
        findings.error("wrong-type", node, f"`{path}` is not a mapping", help)
        return ()
    fields: dict[bytes, Field] = {}
    for key, value_node, _ in node.entries:
        name = _name(findings, key, key.text, path)
        if name is None:
            continue
        if as_cgi(name) in fields:
            message = (
                f"`{path}`: {shown(key.text)} is set twice; names are compared without case,"
                " and `_` counts as `-`"
            )
            findings.error("duplicate-header", key, message, "keep one of them")
        if is_null(value_node):
            help = 'write `""` for an empty value, or `remove: [name]` to remove the field'
            findings.error("missing-value", key, f"`{path}`: {shown(key.text)} has no value", help)
            continue
        value = findings.value(value_node, f"{path}.{key.text}", secret=True)
        if value is None:
            continue
        content = value.text.encode("utf-8", "surrogateescape")
        if is_field_value(content):
            fields.setdefault(as_cgi(name), (name, content))
        else:
            findings.mistake(value, _bad_value(value.text), f"{path}.{key.text}")
    return tuple(fields.values())


def _bad_value(text: str) -> BadValueError:
    """Say why a text is no field value, without repeating it: it may be a secret."""
    if "\r" in text or "\n" in text:
        return BadValueError(
            "bad-header-value",
            "the value has a line break",
            "remove it; a file's last one often gets into a variable",
        )
    if text != text.strip():
        return BadValueError(
            "bad-header-value",
            "the value starts or ends with white space",
            "remove it",
            text.strip(),
        )
    return BadValueError("bad-header-value", "the value has a control character", "remove it")


def _read_remove(section: Section, fields_set: set[bytes]) -> frozenset[bytes]:
    found = section.listing("remove")
    if found is None:
        return frozenset()
    findings, path = section.findings, section.where("remove")
    names: set[bytes] = set()
    for value in found.values:
        name = _name(findings, value.node, value.text, path)
        if name is None:
            continue
        folded = as_cgi(name)
        if folded in fields_set:
            message = f"`{path}`: {shown(value.text)} is set as well"
            help = "`set` replaces every line of that name: remove it here"
            findings.error("set-and-removed", value.node, message, help)
        elif folded in {as_cgi(each) for each in names}:
            message = f"`{path}`: {shown(value.text)} is listed twice"
            findings.warning("duplicate-entry", value.node, message, "remove it")
        names.add(name.lower())
    return frozenset(names)


def _name(findings: Findings, node: Scalar, text: str, path: str) -> bytes | None:
    """Return a field name that a rule may have; None after the problem was reported."""
    problem = refused_name(text)
    if problem is not None:
        code, message, help = problem
        findings.error(code, node, f"`{path}`: {message}", help)
        return None
    return text.encode("ascii")


def refused_name(text: str) -> tuple[str, str, str] | None:
    """Return code, message and help where a rule may not name the field `text`."""
    name = text.encode("utf-8", "replace")
    lower = as_cgi(name)
    if not is_token(name):
        help = "write its name alone, as in `X-Request-Id`"
        return "bad-header-name", f"{shown(text)} is not a header name", help
    if "*" in text:
        help = "name each header"
        return (
            "bad-header-name",
            f"{shown(text)}: header names cannot have wildcards here",
            help,
        )
    if lower.startswith(CORS_FIELD_PREFIX):
        help = "the `cors:` block says what may be read, and every answer follows it"
        return "managed-header", f"{shown(text)} is set by this proxy alone", help
    if lower in HOP_BY_HOP:
        help = "it belongs to one connection, and never passes a proxy"
        return "managed-header", f"{shown(text)} cannot be set or removed", help
    if lower in _OWN:
        return "managed-header", f"{shown(text)} cannot be set or removed", _OWN[lower]
    return None
