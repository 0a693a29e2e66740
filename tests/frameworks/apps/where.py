"""Applications that say whether a request is for /account: on WSGI, Flask, Django and Starlette."""

from collections.abc import Callable, Iterable
from typing import Any

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import re_path
from flask import Flask
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from werkzeug.routing import PathConverter

NAMES = (b"other", b"account")


def wsgi(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [NAMES[f"{environ['PATH_INFO']}/".startswith("/account/")]]


class Anything(PathConverter):
    """Flask's own does not begin with a slash."""

    regex = ".*?"
    part_isolating = False


flask = Flask(__name__)
flask.url_map.converters["anything"] = Anything
flask.add_url_rule("/account", "a", lambda: "account")
flask.add_url_rule("/account/<anything:rest>", "b", lambda rest: "account")
flask.add_url_rule("/<anything:rest>", "c", lambda rest: "other")


def of_django(name: str) -> Callable[[HttpRequest], HttpResponse]:
    return lambda request: HttpResponse(name)


settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, SECRET_KEY="of a test")
urlpatterns = [re_path("^account(?:/|$)", of_django("account")), re_path("", of_django("other"))]
django = get_wsgi_application()


async def account(request: Request) -> PlainTextResponse:
    return PlainTextResponse("account")


async def other(request: Request) -> PlainTextResponse:
    return PlainTextResponse("other")


starlette = Starlette(
    routes=[
        Route("/account", account),
        Route("/account/{rest:path}", account),
        Route("/{rest:path}", other),
    ]
)
