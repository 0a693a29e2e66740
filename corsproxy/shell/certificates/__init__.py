"""Certificates of the https listeners: given in files, or made by a local authority."""
