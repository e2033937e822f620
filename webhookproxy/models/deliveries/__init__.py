"""Deliveries, and the actions of users on them."""
