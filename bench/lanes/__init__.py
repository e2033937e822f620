"""Measurements of the lanes alone: the hub under long backlogs, and receivers that refuse."""
