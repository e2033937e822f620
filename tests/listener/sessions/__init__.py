"""Servers that send again what a socket missed: the simulator, and Socket.IO's own."""
