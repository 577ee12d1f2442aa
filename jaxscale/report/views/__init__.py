"""Text and records of results: what the command line prints."""
