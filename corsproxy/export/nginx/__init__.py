"""nginx: maps decide where a request goes, and each way has a location of its own.

No request is matched against a location by its path, because nginx decodes and resolves paths
before it does so: `$request_uri` is matched byte by byte in a map, and what came out is where
`rewrite` leads.
"""
