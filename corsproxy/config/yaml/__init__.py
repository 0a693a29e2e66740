"""YAML as nodes with positions, every bound kept and every error made friendly."""
