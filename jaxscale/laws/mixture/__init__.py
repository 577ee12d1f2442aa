"""What a mixture of training domains does to the loss."""
