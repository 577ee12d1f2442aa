"""Bytes of a text file as text."""

import codecs

from jaxscale.core.errors import BadInput

# The longer mark first: that of UTF-32 begins as UTF-16's does.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig", ""),
    (codecs.BOM_UTF32_LE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF32_BE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16", "UTF-16"),
)


def text_of(content: bytes) -> tuple[str, list[str]]:
    """The text and remarks. Raises `BadInput` (without the file's name) on what is no text."""
    encoding, remarks = "utf-8", []
    for mark, found, said in _MARKS:
        if content.startswith(mark):
            encoding, remarks = found, [f"the text was read as {said}, by its byte order mark"] if said else []
            break
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding != "utf-8":
            raise BadInput(
                f"its mark says {encoding} and its bytes are not ({error.reason}); save it as UTF-8"
            ) from error
        text, remarks = _western(content, error), ["the text is not UTF-8: it was read as Windows-1252 (Latin-1)"]
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise BadInput(f"line {line}: expected text, got a NUL byte; save the table as UTF-8 text")
    return text, remarks


def _western(content: bytes, error: UnicodeDecodeError) -> str:
    """What is neither UTF-8 nor has a mark is of one byte per letter; which one only touches letters, no numbers."""
    try:
        return content.decode("cp1252")
    except UnicodeDecodeError:
        line = content.count(b"\n", 0, error.start) + 1
        raise BadInput(
            f"line {line}: expected UTF-8 text, got the byte 0x{content[error.start]:02x}; save the table as UTF-8"
        ) from error
