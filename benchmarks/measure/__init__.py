"""The pocket study: some 300 small transformers that any laptop can train, from which jaxscale's own tables are made.

`corpus` what they read, `model` what they are, `run` one of them, `sweeps/` which of them;
`python -m benchmarks.measure` trains them, `tables` makes what is shipped.
"""
