"""Measurements that somebody runs by hand: no test and no CI has a limit made of their figures."""
