"""Deliveries, and what people do with them."""
