"""Floor 1, how work is run: rows over devices, chunks that a killed process goes on from, files that appear whole.

May import core only.
"""
