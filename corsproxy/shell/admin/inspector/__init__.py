"""The inspector: every call as the page, the proxy and the upstream saw it.

`capture` records what happens in an exchange, `ring` keeps the last ones, `rows` and
`details` turn them into JSON, `application` serves the page in `web/`. Nothing is written to
disk except edits of the allowlist that the user asked for.
"""
