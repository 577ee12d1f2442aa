"""What a law leaves out, learnt from backtests, and forecasts that count it."""

from jaxscale.infer.discrepancy.forecast import DiscrepancyForecast, forecast_with_discrepancy
from jaxscale.infer.discrepancy.learn import Discrepancy, learn_discrepancy

__all__ = ["Discrepancy", "DiscrepancyForecast", "forecast_with_discrepancy", "learn_discrepancy"]
