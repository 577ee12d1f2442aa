"""Numerics that laws and planners stand on: powers that keep their precision, and roots with implicit derivatives."""
