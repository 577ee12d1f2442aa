"""What data are worth: loss when tokens repeat."""
