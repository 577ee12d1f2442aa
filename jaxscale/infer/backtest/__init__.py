"""How laws forecast their own larger runs: rolling origins and other splits, scores, the noise of a run."""

from jaxscale.infer.backtest.backtest import Origins, crossvalidate
from jaxscale.infer.backtest.heldout import HeldOut, held_out

__all__ = ["HeldOut", "Origins", "crossvalidate", "held_out"]
