"""Short ways to read YAML into a tree in a test."""

import pytest
import yaml

from corsproxy.config.problems import ConfigError, Problem
from corsproxy.config.yaml.document import LOADER, Document, Loader, read_document
from corsproxy.config.yaml.nodes import Mapping, Node, Scalar, Sequence

LOADERS: list[Loader] = [yaml.SafeLoader, LOADER]


def document_of(text: str, loader: Loader = LOADER) -> Document:
    return read_document(text, "f.yaml", loader)


def refusal_of(text: str | bytes, loader: Loader = LOADER) -> Problem:
    with pytest.raises(ConfigError) as refused:
        read_document(text, "f.yaml", loader)
    return refused.value.problems[-1]


def child(node: Node, *path: str | int) -> Node:
    """Return the node at a path of keys and indices."""
    for step in path:
        if isinstance(step, int):
            assert isinstance(node, Sequence)
            node = node.items[step]
        else:
            assert isinstance(node, Mapping)
            (node,) = (entry.value for entry in node.entries if entry.key.text == step)
    return node


def text_at(text: str, *path: str | int) -> str:
    node = child(document_of(text).root, *path)
    assert isinstance(node, Scalar)
    return node.text
