"""What a table of runs is checked for: values, plausibility of units, checkpoints without a run, equal rows."""
