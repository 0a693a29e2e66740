"""A file with a hard text in every place that takes one."""

import json
from typing import Any

from tests.export.policies import VALUES

PLAIN = ("plain",) * len(VALUES)


def file_with(values: tuple[str, ...]) -> str:
    """The file; other values make a file with as many of everything."""
    fields = {f"X-{number}": value for number, value in enumerate(values)}
    rules = {"set": fields}
    content = {
        "listen": "127.0.0.1:8010",
        "cors": {
            "allow_origins": ["https://app.example.com"],
            "allow_headers": ["x'a", "x`b", "x%c", "x$d", "x#e", "x|f"],
            "expose_headers": ["x'a", "x`b", "x%c", "x$d", "x#e", "x|f"],
            "allow_methods": ["A'B", "A`B", "A%B", "A$B", "A#B"],
        },
        "routes": [
            {
                "path": "/it's(a)~route&=,;x",
                "upstream": "http://127.0.0.1:9/b$c'd(e)f;g",
                "request_headers": rules,
                "response_headers": rules,
            }
        ],
    }
    return json.dumps(content, ensure_ascii=False).replace("$", "$$")


def shape(found: Any) -> Any:
    """The types of all that a configuration is made of: a value that breaks out changes them."""
    if isinstance(found, dict):
        return {key: shape(each) for key, each in found.items()}
    return [shape(each) for each in found] if isinstance(found, list) else type(found)
