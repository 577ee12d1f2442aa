"""Files as columns, one module per format. A reader takes bytes that were counted, and says how it read them.

`content` is the only place that opens a file. A reading that is not the plain one is a remark.
"""
