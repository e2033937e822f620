"""A company's month in figures."""
