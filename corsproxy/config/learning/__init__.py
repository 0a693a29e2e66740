"""Learning an allowlist from what was refused: observed calls in, one edit of the file out.

Reads text that its caller hands it: log lines of this proxy, or a HAR file of a browser.
"""
