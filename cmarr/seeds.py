"""Seeds derived by hashing, so that no two purposes share a random stream."""

from __future__ import annotations

import hashlib


def derive(*parts: str | int) -> int:
    """A seed of 63 bits from, say, corpus, system, fold, seed and purpose."""
    text = "\x1f".join(map(str, parts))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
