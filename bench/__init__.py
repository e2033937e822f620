"""Measurements that are started by hand. No test and no CI has a limit taken from their figures."""
