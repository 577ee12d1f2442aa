"""Pages for a browser: the report of a forecast, the gallery of laws."""
