"""What comes in: the sockets of the companies, and the way of their events into the store."""
