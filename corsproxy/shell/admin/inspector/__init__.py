"""The inspector: every call as the page, the proxy and the upstream saw it.

`capture` notes what happens in an exchange, `ring` keeps the last of them, `details` and
`rows` say what may be shown of one, `application` answers the page in `web/`. Nothing is
written to disk except an edit of the allowlist that was asked for.
"""
