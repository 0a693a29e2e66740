"""nginx: maps decide where a request goes, and each decision has its own location.

Requests are not matched against locations by path, because nginx decodes and resolves paths
first. Instead a map matches `$request_uri` byte by byte, and `rewrite` goes to the location
that it names.
"""
