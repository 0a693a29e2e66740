"""A mitmproxy addon: the CORS allowlist that mitmproxy does not have by itself."""

import os

from mitmproxy import http  # type: ignore[import-not-found] # in an environment of its own

ALLOWED = {os.environ["ORIGIN"]}


def request(flow: http.HTTPFlow) -> None:
    """Refuse unlisted origins and answer preflights."""
    origin = flow.request.headers.get("origin")
    if origin is None:
        return
    if origin not in ALLOWED:
        flow.metadata["answered"] = True
        flow.response = http.Response.make(403)
    elif (
        flow.request.method == "OPTIONS" and "access-control-request-method" in flow.request.headers
    ):
        flow.metadata["answered"] = True
        flow.response = http.Response.make(
            204,
            headers={
                "Access-Control-Allow-Origin": origin,
                "Access-Control-Allow-Methods": "GET, HEAD, POST, PUT, PATCH, DELETE",
                "Access-Control-Allow-Headers": "content-type, authorization",
                "Vary": "Origin",
            },
        )


def responseheaders(flow: http.HTTPFlow) -> None:
    """Replace the upstream's grants by ours, and stream the body."""
    assert flow.response is not None
    if "answered" in flow.metadata:
        return
    flow.response.stream = True
    headers = flow.response.headers
    for name in [name for name in headers if name.lower().startswith("access-control-")]:
        del headers[name]
    origin = flow.request.headers.get("origin")
    if origin is not None:
        headers["Access-Control-Allow-Origin"] = origin
    headers.add("Vary", "Origin")
