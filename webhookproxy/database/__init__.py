"""How the database is reached, written and owned."""
