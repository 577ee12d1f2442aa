"""Files of results: written whole, checked before anything of them is believed."""
