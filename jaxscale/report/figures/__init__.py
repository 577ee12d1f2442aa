"""Figures: `plots` on paper (matplotlib), `charts` on the page (altair)."""
