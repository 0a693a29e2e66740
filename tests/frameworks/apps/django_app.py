"""A Django project in one file: a login with Django's own CSRF check, slash and https redirects.

It believes forwarding fields, as many deployments do, and knows its real name alone.
"""

import os

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.middleware.csrf import get_token
from django.shortcuts import redirect
from django.urls import path

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
    ],
    ROOT_URLCONF=__name__,
    SECRET_KEY="of a test",
    SECURE_PROXY_SSL_HEADER=("HTTP_X_FORWARDED_PROTO", "https"),
    SECURE_SSL_REDIRECT="HTTPS_ONLY" in os.environ,
    SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
    USE_X_FORWARDED_HOST=True,
)
django.setup()


def token(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"token": get_token(request)})


def login(request: HttpRequest) -> HttpResponse:
    request.session["user"] = request.POST["user"]
    return redirect(request.build_absolute_uri("/me/"))


def me(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"user": request.session.get("user")})


urlpatterns = [path("token/", token), path("login/", login), path("me/", me)]
application = get_wsgi_application()
