"""The catalogue of a company's events."""
