"""Incident runbooks for DeFi protocols: detect, decide, contain through a Safe, and prove it."""

__version__ = "0.1.0"
