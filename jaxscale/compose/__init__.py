"""Floor 1, laws made of laws: joint over groups (`Pooled`, `Tied`), averaged, corrected, and a member
of a joint one.

A joint law is a law: it fits, forecasts and plans as any other. May import core only.
"""

from jaxscale.compose.averaged import Averaged
from jaxscale.compose.corrected import Corrected
from jaxscale.compose.members import member, new_group
from jaxscale.compose.pooled import Pooled
from jaxscale.compose.tied import Tied

__all__ = ["Averaged", "Corrected", "Pooled", "Tied", "member", "new_group"]
