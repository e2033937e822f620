"""The promises of the rows."""
