"""The command line: one small module per command. Only here are the parts put together."""
