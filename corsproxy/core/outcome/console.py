"""What Chromium's console says of a call that it blocks, by the error's name.

The names are those of the DevTools protocol (Network.CorsError) and, for what the network
stack refuses by itself, of the net errors. The sentences are Chromium's, behind "has been
blocked by CORS policy:". `{}` is the value that it names.
"""

from typing import Final

_VALID: Final = "Have the server send the header with a valid value."
_PREFLIGHT: Final = "Response to preflight request doesn't pass access control check: "

_CHECKS: Final[dict[str, str]] = {
    "MissingAllowOriginHeader": "No 'Access-Control-Allow-Origin' header is present on the"
    " requested resource.",
    "WildcardOriginNotAllowed": "The value of the 'Access-Control-Allow-Origin' header in the"
    " response must not be the wildcard '*' when the request's credentials mode is 'include'.",
    "MultipleAllowOriginValues": "The 'Access-Control-Allow-Origin' header contains multiple"
    f" values '{{}}', but only one is allowed. {_VALID}",
    "InvalidAllowOriginValue": "The 'Access-Control-Allow-Origin' header contains the invalid"
    f" value '{{}}'. {_VALID}",
    "AllowOriginMismatch": "The 'Access-Control-Allow-Origin' header has a value '{}' that is"
    f" not equal to the supplied origin. {_VALID}",
    "InvalidAllowCredentials": "The value of the 'Access-Control-Allow-Credentials' header in"
    " the response is '{}' which must be 'true' when the request's credentials mode is"
    " 'include'.",
    "InvalidStatus": "It does not have HTTP ok status.",
    "DisallowedRedirect": "Redirect is not allowed for a preflight request.",
}

_SENTENCES: Final[dict[str, str]] = {
    **_CHECKS,
    **{f"Preflight{name}": _PREFLIGHT + sentence for name, sentence in _CHECKS.items()},
    "InvalidAllowMethodsPreflightResponse": "Cannot parse Access-Control-Allow-Methods response"
    " header field in preflight response.",
    "InvalidAllowHeadersPreflightResponse": "Cannot parse Access-Control-Allow-Headers response"
    " header field in preflight response.",
    "MethodDisallowedByPreflightResponse": "Method {} is not allowed by"
    " Access-Control-Allow-Methods in preflight response.",
    "HeaderDisallowedByPreflightResponse": "Request header field {} is not allowed by"
    " Access-Control-Allow-Headers in preflight response.",
    "RedirectContainsCredentials": "Redirect location '{}' contains a username and password,"
    " which is disallowed for cross-origin requests.",
    "CorsDisabledScheme": "Cross origin requests are only supported for protocol schemes:",
    "NotSameOrigin": "net::ERR_BLOCKED_BY_RESPONSE.NotSameOrigin",
    "NotSameSite": "net::ERR_BLOCKED_BY_RESPONSE.NotSameSite",
    "ERR_INVALID_REDIRECT": "net::ERR_INVALID_REDIRECT",
    "ERR_UNSAFE_REDIRECT": "net::ERR_UNSAFE_REDIRECT",
    "ERR_UNKNOWN_URL_SCHEME": "net::ERR_UNKNOWN_URL_SCHEME",
}


def console_sentence(error: str, parameter: str = "") -> str:
    """Return Chromium's console message for the error of that name; empty if it is not known.
    `parameter` is the value that it names."""
    return _SENTENCES.get(error, "").replace("{}", parameter)
