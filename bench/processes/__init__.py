"""The processes that the measurements start: relays, receiver, simulator."""
