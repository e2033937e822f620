"""A webhook's filters: made, tried and saved."""
