"""The state of a connection, and alarms that concern every page."""
