"""Forecasts of larger runs on every public ladder, beside other tools' on the same runs.

`ladders` which runs, `splits` what is fitted and what is held out, `methods` ours and `peers` theirs, `scores` how they
are judged, `records` what was computed, `page` how it is shown. `python -m benchmarks.forecast` computes what is
missing.
"""
