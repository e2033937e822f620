"""Frames of a WebSocket, packets of Socket.IO, and the client library that is held in bounds."""
