"""Brings back the calls that no socket brought, from what 3C Plus has on record of them."""
