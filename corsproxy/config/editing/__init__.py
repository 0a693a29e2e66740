"""Edits of the allowlist file that change the needed bytes and no others."""
