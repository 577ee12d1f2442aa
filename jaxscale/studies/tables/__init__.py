"""Tables as people have them, read into columns of numbers and text, within a stated budget of memory."""
