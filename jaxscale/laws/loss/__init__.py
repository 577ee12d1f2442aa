"""Loss of one training run from its size, data, compute or steps."""
