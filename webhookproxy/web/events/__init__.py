"""Events: the list, one event, and one call."""
