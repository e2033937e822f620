"""Calls that no socket brought, as functions of what 3C Plus has on record of them."""
