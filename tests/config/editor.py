"""The file as an editor with the JSON Schema sees it: YAML 1.2's core schema, then draft-07."""

import json
import re
from importlib.resources import files

from jsonschema import Draft7Validator

from corsproxy.config.yaml.document import read_document
from corsproxy.config.yaml.nodes import Mapping, Node, Scalar, Sequence

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]

SCHEMA: dict[str, Json] = json.loads(
    files("corsproxy.config").joinpath("schema.json").read_text(encoding="utf-8")
)
_VALIDATOR = Draft7Validator(SCHEMA)

# YAML 1.2, 10.3.2.
_INT = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")


def instance(text: str | bytes) -> Json:
    """Return the data in a YAML file; raises ConfigError where it is none."""
    return _value(read_document(text, "corsproxy.yaml").root)


def _value(node: Node) -> Json:
    if isinstance(node, Mapping):
        return {key.text: _value(value) for key, value, _ in node.entries}
    if isinstance(node, Sequence):
        return [_value(item) for item in node.items]
    return _resolved(node)


def _resolved(node: Scalar) -> Json:
    text = node.text
    if not node.plain:
        return text
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if text in ("true", "True", "TRUE", "false", "False", "FALSE"):
        return text.lower() == "true"
    if _INT.fullmatch(text):
        return int(text)
    if _OCTAL.fullmatch(text):
        return int(text[2:], 8)
    if _HEX.fullmatch(text):
        return int(text, 16)
    return float(text) if _FLOAT.fullmatch(text) else text


def complaints(text: str | bytes) -> list[str]:
    """Return what the editor underlines."""
    return [
        f"{'.'.join(map(str, error.absolute_path))}: {error.message}"
        for error in _VALIDATOR.iter_errors(instance(text))
    ]
