"""Recordings of calls: the page that a link opens, and how a company's links are revoked."""
