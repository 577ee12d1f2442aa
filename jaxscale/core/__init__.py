"""Floor 0, the vocabulary: declared parameters, laws, quantities, supports, priors, runs, results.

May import jax, equinox and jaxtyping only; everything above may import it.
"""
