"""One command of `jaxscale` in each module."""
