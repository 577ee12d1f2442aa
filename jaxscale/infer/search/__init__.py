"""The search for an optimum: the problem of a law on runs, its starts, and what the runs determine."""
