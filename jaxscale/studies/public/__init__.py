"""One file per public data set: its record (source, licence, checksum, mapping) and its reader.

A module here is found by its `DATASET`; no list is kept. The measurements themselves are not in the package.
"""
