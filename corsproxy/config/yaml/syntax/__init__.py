"""What is wrong with a text that is not YAML, in words that help."""
