"""What runs, law and objective say against each other before and after a fit: inputs, units, misfit, exact fits."""
