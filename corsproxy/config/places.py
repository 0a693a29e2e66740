"""Where the keys of a file are written, for messages about a whole setting."""

from collections.abc import Iterator

from corsproxy.config.yaml.document import Document, read_document
from corsproxy.config.yaml.nodes import Mapping, Node, Sequence
from corsproxy.core.source import Source


def read_places(text: str | bytes | Document, name: str) -> dict[str, Source]:
    """Return where the values stand, by their paths: `limits`, `limits.body`, `routes[0]`,
    `routes[0].tls`. What lies deeper is left out; `text` may be parsed already. Never raises
    for a file that has a policy.
    """
    document = text if isinstance(text, Document) else read_document(text, name)
    found = {}
    for path, node in _keys("", document.root):
        children = list(_keys(path, node))
        if path == "routes":
            children += [deeper for route, item in children for deeper in _keys(route, item)]
        for each, child in [(path, node), *children]:
            found[each] = document.source.source(child)
    return found


def _keys(path: str, node: Node) -> Iterator[tuple[str, Node]]:
    if isinstance(node, Mapping):
        for entry in node.entries:
            yield (f"{path}.{entry.key.text}" if path else entry.key.text), entry.value
    elif isinstance(node, Sequence):
        for index, item in enumerate(node.items):
            yield f"{path}[{index}]", item
