"""Keeping the native log of MediaPipe's C++ core, which no setting silences, off the terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def native_log_hidden() -> Iterator[None]:
    """Send what native code writes to file descriptor 2 to nowhere; Python's stderr stays.

    A crash in native code is still reported: Python's fault handler writes to the real stderr.
    """
    import faulthandler

    sys.stderr.flush()
    real = os.dup(2)
    own = sys.stderr is sys.__stderr__
    nowhere = os.open(os.devnull, os.O_WRONLY)
    with os.fdopen(real, "w", buffering=1, encoding="utf-8", errors="replace") as stream:
        os.dup2(nowhere, 2)
        os.close(nowhere)
        if own:
            sys.stderr = stream
            faulthandler.enable(stream)
        try:
            yield
        finally:
            stream.flush()
            os.dup2(stream.fileno(), 2)
            if own:
                faulthandler.disable()
                sys.stderr = sys.__stderr__
