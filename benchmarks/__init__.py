"""Measured speed, memory and accuracy of jaxscale, with the published recipe and its peers as baselines.

`python -m benchmarks` runs everything, writes `results/<machine>.json` and prints one Markdown table;
`pytest benchmarks/bench_bootstrap.py` times one verb with pytest-benchmark. Rules: compile and run time
apart, wall and CPU seconds both, baseline and jaxscale interleaved with the least of several repeats on
each side, accuracy beside every second. Nothing here asserts a time.
"""
