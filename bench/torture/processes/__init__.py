"""Several processes share the companies of one PostgreSQL, and faults meet single ones."""
