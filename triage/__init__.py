"""Inbound message triage for Dutch public-sector webcare."""

__version__ = "0.1.0"
