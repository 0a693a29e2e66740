"""HAProxy: one frontend that decides, with variables of the transaction, and a backend for each
route. Grants are put in where every answer passes, HAProxy's own errors included.
"""
