"""Which addresses may be reached, and the one place that opens connections."""
