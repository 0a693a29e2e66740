"""The allowlist file: YAML text in, a `Policy` or every problem in the text out.

Reads no network and starts nothing. This is the only package that knows the file format.
"""
