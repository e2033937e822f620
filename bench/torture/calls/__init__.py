"""Calls end while sockets are cut and servers killed: `bin/torture --calls`."""
