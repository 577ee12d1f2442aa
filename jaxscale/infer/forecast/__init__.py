"""What laws say about runs that were not made: one fit at points, or ranked laws with calibrated bands."""

from jaxscale.infer.forecast.forecast import Forecast, forecast
from jaxscale.infer.forecast.outlook import Outlook, outlook
from jaxscale.infer.forecast.prediction import Outlined

__all__ = ["Forecast", "Outlined", "Outlook", "forecast", "outlook"]
