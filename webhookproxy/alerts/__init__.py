"""Tells people what is wrong, once, with the cause, and when it is over."""
