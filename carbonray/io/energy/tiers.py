"""Which data tier a file of energy or emissions is of: simulated ones say so in their last line.

Source: SCIENCE 0.3 (what is simulated is labelled everywhere). A file that says nothing is taken for a real one.
"""

import os
import re

from carbonray.io import objectstore

REAL = "REAL"
_TAIL_BYTES = 4096  # of a file's end, in which the words are looked for
_WORDS = re.compile(rb"\btier (SYNTHETIC-T\d)\b")


def file_tier(url: str) -> str:
    """The data tier of a file.

    Raises:
        TransportError: it could not be moved.
    """
    with objectstore.opened(url) as file:
        file.seek(max(file.seek(0, os.SEEK_END) - _TAIL_BYTES, 0))
        found = _WORDS.findall(file.read())
    return found[-1].decode() if found else REAL
