"""What learning rate and batch size a run needs, and what others cost."""
