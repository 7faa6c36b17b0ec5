"""Stands in for LibreOffice on the test server: the words of what was printed, in a PDF's clothes.

``python to_pdf.py FROM TO``. Like a real one it makes other bytes each time.
"""

from __future__ import annotations

import re
import sys
import uuid
import zipfile
from pathlib import Path


def main(source: str, target: str) -> None:
    if zipfile.is_zipfile(source):
        with zipfile.ZipFile(source) as packed:
            text = packed.read("content.xml").decode()
    else:
        text = Path(source).read_text()
    words = re.sub(r"<[^>]*>", " ", text)
    Path(target).write_text(f"%PDF-1.4\n% {uuid.uuid4()}\n{words}\n%%EOF\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
