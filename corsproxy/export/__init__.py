"""Exports the allowlist to another engine: its configuration, and a loss report.

`plan` says once what has to happen to each request; a writer for each engine translates it.
The browser's verdict is the same except where a loss says otherwise, an engine never allows
more than the file, and nothing in the file is interpreted as configuration: values are
quoted for the place where they stand.
"""
