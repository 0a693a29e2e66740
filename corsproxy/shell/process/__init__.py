"""The process around the proxy: start, signals, reload, probes, figures, end."""
