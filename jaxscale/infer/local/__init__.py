"""How sure a fit is, from its neighbourhood: covariance, profiles, and the law made linear there."""

from jaxscale.infer.local.covariance import Covariance, covariance, standard_errors
from jaxscale.infer.local.profile import Profile, profile

__all__ = ["Covariance", "Profile", "covariance", "profile", "standard_errors"]
