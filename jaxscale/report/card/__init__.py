"""The card of a fit or forecast: everything that another person needs to judge it."""
