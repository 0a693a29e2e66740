"""The same allowlist for another engine: its configuration, and what gets lost on the way.

`plan` says once what has to become of each request; a writer for each engine says it in that
engine's language. Promises: the browser's verdict is the file's but where a loss says
otherwise, an engine never allows more than the file, and nothing in the file becomes
configuration: values are quoted for the place where they stand.
"""
