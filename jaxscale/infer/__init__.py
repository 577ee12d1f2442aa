"""Floor 4: argmin over laws given runs, and how sure it is.

`fit` certifies an optimum (`estimate` is its kernel, for `jit` and `vmap`), `bootstrap` refits it thousands of times,
`forecast` predicts with intervals and the distance of extrapolation; `covariance` and `profile` say how sure without
refits, `held_out` scores by scale. `sample` draws from a posterior and judges the draws, `bag` does so for every
resample of the runs, `compare` and `average` weigh several laws, `forecast_with_discrepancy` adds what a law leaves
out. Knows objectives and the solver; no law, no study, no plan.
"""
