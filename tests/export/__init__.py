"""Exports, run by the engines that they are for and compared with the proxy itself."""
