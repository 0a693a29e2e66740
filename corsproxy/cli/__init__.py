"""The command line: one small module a command; the only place where parts are put together."""
