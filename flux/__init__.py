"""Flux: a backend runtime that records every execution."""

__version__ = "0.1.0"
