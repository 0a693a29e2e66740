"""The admin listener: probes, metrics, and the figures behind them."""
