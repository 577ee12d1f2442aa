"""A smooth correction of a law, learnt from the residuals of its own runs."""
