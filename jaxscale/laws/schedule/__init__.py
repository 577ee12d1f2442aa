"""How the loss falls along a run, step by step, under any learning-rate schedule."""
