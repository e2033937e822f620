"""Deliveries: the list, one delivery, and resending."""
