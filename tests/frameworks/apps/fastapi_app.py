"""A FastAPI application: a login with a signed session, its slash redirects, and https only."""

import os

from fastapi import FastAPI, Form, Request
from fastapi.responses import RedirectResponse, Response
from starlette.middleware.httpsredirect import HTTPSRedirectMiddleware
from starlette.middleware.sessions import SessionMiddleware

app = FastAPI()
app.add_middleware(SessionMiddleware, secret_key="of a test")
if "HTTPS_ONLY" in os.environ:
    app.add_middleware(HTTPSRedirectMiddleware)


@app.get("/token/")
def token() -> dict[str, str]:
    return {"token": "none"}


@app.post("/login/")
def login(request: Request, user: str = Form()) -> Response:
    if request.headers.get("origin") != str(request.base_url).rstrip("/"):
        return Response("another origin", 403)
    request.session["user"] = user
    return RedirectResponse(str(request.url_for("me")), 303)


@app.get("/me/", name="me")
def me(request: Request) -> dict[str, str | None]:
    return {"user": request.session.get("user")}
