"""The running whole: what starts, stops and wakes everything else."""
