"""Compute-optimal sizes from measured runs, without a law of size and data."""

from jaxscale.plan.frontier.frontier import Envelope, Frontier, Hull, IsoFlop, frontier

__all__ = ["Envelope", "Frontier", "Hull", "IsoFlop", "frontier"]
