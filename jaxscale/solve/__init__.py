"""Floor 3: argmin, without knowing of what.

A problem is a weighted sum of per-row penalties over real vectors. `chart` whitens it, `gauss_newton` solves
one lane, `batch` a queue of thousands, `newton` polishes, `separable` gives starts, `certificate` says what was
checked, `implicit` differentiates the optimum.
"""
