"""A second socket of a company: read, compared with the first one, and thrown away."""
