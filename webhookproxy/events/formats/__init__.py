"""The bodies that a receiver can ask for, as functions of an event's text."""
