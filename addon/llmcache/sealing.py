"""Entries that only their own call can open: what a store holds tells nobody who reads the store anything.

An entry is packed, compressed and sealed with AES-256-GCM (NIST SP 800-38D) under a key derived from the identity of
its call and our secret (BLAKE2b, RFC 7693); so is the name under which it is stored, with another personalization.
The associated data is the format's version and that name: what was tampered with, cut, or put under another name is
refused. Times and sizes stay readable, because stores need them. It knows no store. Entry point: `Sealer`.
"""

from __future__ import annotations

import os
from hashlib import blake2b

import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .chat import SEALED, Entry, Reply
from .stores.record import pack, unpack

VERSION = b"\x01"
NONCE = 12
"""Bytes; random, which is safe for 2^32 seals under one key, and each call has a key of its own."""
TAG = 16
LEVEL = 3
COMPRESS = 1024
"""Bytes of a record from which on it is compressed."""
LARGEST = 256_000_000
"""Bytes that a record may unpack to."""
PLAIN, ZSTD = b"\x00", b"\x01"


class Sealer:
    """Seals with *secret*, the key that keys the digests of credentials too."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def __repr__(self) -> str:
        return "<Sealer>"

    def key(self, identity: bytes) -> str:
        """Return the key under which the entry of *identity* is stored: nobody without the secret can test guesses."""
        return blake2b(identity, digest_size=20, key=self._secret, person=b"aicache-name-v1").hexdigest()

    def close(self, entry: Entry) -> Entry:
        """Return *entry* sealed: its key, its times, and bytes. Raises `ValueError` for one that no record can hold."""
        record = pack(entry)
        packed = ZSTD + zstandard.ZstdCompressor(LEVEL).compress(record) if len(record) >= COMPRESS else PLAIN + record
        nonce = os.urandom(NONCE)
        body = VERSION + nonce + self._cipher(entry.request).encrypt(nonce, packed, _bound(entry.key))
        return Entry(entry.key, WORD, "", WORD, SEALED, Reply(200, (), body), entry.created, entry.expires)

    def open(self, sealed: Entry, identity: bytes) -> Entry:
        """Return the entry inside. Raises `ValueError` for what we have not sealed for this call under this key."""
        body, start = sealed.reply.body, len(VERSION) + NONCE
        if sealed.form != SEALED or body[: len(VERSION)] != VERSION:
            raise ValueError("is not sealed, or in another version")
        if len(body) < start + TAG:
            raise ValueError("is cut short")
        nonce = body[len(VERSION) : start]
        try:
            packed = self._cipher(identity).decrypt(nonce, body[start:], _bound(sealed.key))
            return unpack(_record(packed), sealed.key)
        except (InvalidTag, zstandard.ZstdError) as error:
            raise ValueError("the seal is broken") from error

    def _cipher(self, identity: bytes) -> AESGCM:
        return AESGCM(blake2b(identity, digest_size=32, key=self._secret, person=b"aicache-seal-v1").digest())


def _record(packed: bytes) -> bytes:
    if packed[:1] == PLAIN:
        return packed[1:]
    if packed[:1] != ZSTD or not 0 < zstandard.frame_content_size(packed[1:]) <= LARGEST:
        raise ValueError("is in another version")
    return zstandard.ZstdDecompressor().decompress(packed[1:])


def _bound(key: str) -> bytes:
    """Return what a seal is bound to."""
    return b"aicache sealed\0" + VERSION + key.encode("utf-8", "surrogatepass")


WORD = "sealed"
"""What listings show where a dialect and a model would stand."""
