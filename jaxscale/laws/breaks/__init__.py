"""Curves whose exponent changes along the way."""
