"""Where public objects lie: a bucket read over HTTPS, or a folder laid out like one. In: bucket and folder; out: the
objects' names, sizes and digests, and their bytes from any place on.

The bucket is asked anonymously in S3's own words (ListObjectsV2, Range), through the standard library alone, which
knows the proxies of the environment. A failure that may pass is a `TryAgain`, one that will not a `FetchError`.
"""

from __future__ import annotations

import http.client
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from xml.etree import ElementTree

from hounsfield.catalog.idc.index import FetchError

ADDRESS = "https://{bucket}.s3.amazonaws.com"
_BLOCK = 1 << 20
_LISTING = 16 << 20  # a page of 1000 objects has 400 kB; more is no listing
_PASSING = {408, 425, 429, 500, 502, 503, 504}
_MD5 = re.compile(r"[0-9a-f]{32}")


class TryAgain(Exception):
    """A failure that may pass: how long the server asked to wait (None: it did not), and whether to begin at byte 0."""

    def __init__(self, why: str, *, wait_s: float | None = None, restart: bool = False) -> None:
        super().__init__(why)
        self.wait_s = wait_s
        self.restart = restart


@dataclass(frozen=True)
class Stored:
    """An object of a bucket; `md5` is empty where the bucket's tag is no MD5 (uploads in parts)."""

    key: str
    size: int
    md5: str = ""


class Source(Protocol):
    """What a download needs of the place it comes from."""

    def objects(self, bucket: str, folder: str) -> list[Stored]:
        """Every object whose key begins with `folder/`."""

    def read(self, bucket: str, stored: Stored, start: int) -> tuple[int, Iterator[bytes]]:
        """The byte the blocks begin at (`start`, or 0 when the place can't begin elsewhere), and the blocks."""


class Bucket:
    """Public buckets over HTTP.

    Args:
        address: with `{bucket}` in the place of the bucket's name.
        timeout_s: without a byte, after which a connection is given up.
    """

    def __init__(self, address: str = ADDRESS, *, timeout_s: float = 60.0) -> None:
        self.address = address if "{bucket}" in address else address.rstrip("/") + "/{bucket}"
        self.timeout_s = timeout_s

    def objects(self, bucket: str, folder: str) -> list[Stored]:
        found: list[Stored] = []
        token = ""
        while True:
            asked = {"list-type": "2", "prefix": f"{folder}/"} | ({"continuation-token": token} if token else {})
            answer = self._open(f"{self._of(bucket)}/?{urllib.parse.urlencode(asked)}")
            page, token = parse_listing(b"".join(_blocks(answer, limit=_LISTING)))
            found += page
            if not token:
                return found

    def read(self, bucket: str, stored: Stored, start: int) -> tuple[int, Iterator[bytes]]:
        answer = self._open(f"{self._of(bucket)}/{urllib.parse.quote(stored.key)}", start)
        part = answer.status == 206
        if part and not str(answer.headers.get("Content-Range", "")).startswith(f"bytes {start}-"):
            answer.close()
            raise TryAgain("the server sent another part than it was asked for", restart=True)
        return (start if part else 0), _blocks(answer)

    def _of(self, bucket: str) -> str:
        return self.address.format(bucket=bucket).rstrip("/")

    def _open(self, url: str, start: int = 0) -> Any:
        # A compressed transfer would have other sizes and no ranges.
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
        try:
            return urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=self.timeout_s)
        except urllib.error.HTTPError as error:
            raise _refusal(error) from error
        except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
            reason = getattr(error, "reason", None) or error
            raise TryAgain(f"no connection to {urllib.parse.urlsplit(url).netloc} ({reason})") from error


class Mirror:
    """A local copy of buckets: FOLDER/BUCKET/SERIES/OBJECT, or FOLDER/SERIES/OBJECT."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise FetchError(f"--from: there is no folder {folder.name}. Give a mirror laid out like the bucket.")
        self.folder = folder

    def objects(self, bucket: str, folder: str) -> list[Stored]:
        place = self._place(bucket) / folder
        if not place.is_dir():
            raise FetchError(f"the mirror has no folder {folder}")
        files = sorted(file for file in place.iterdir() if file.is_file() and not file.name.startswith("."))
        return [Stored(f"{folder}/{file.name}", file.stat().st_size) for file in files]

    def read(self, bucket: str, stored: Stored, start: int) -> tuple[int, Iterator[bytes]]:
        return start, self._blocks(self._place(bucket) / stored.key, start)

    def _place(self, bucket: str) -> Path:
        inside = self.folder / bucket
        return inside if inside.is_dir() else self.folder

    def _blocks(self, path: Path, start: int) -> Iterator[bytes]:
        with path.open("rb") as stream:
            stream.seek(start)
            while block := stream.read(_BLOCK):
                yield block


def parse_listing(text: bytes) -> tuple[list[Stored], str]:
    """One page of a ListObjectsV2 answer: its objects, and the token of the next page (empty at the end).

    Raises: TryAgain when it is something else, such as the page of a proxy.
    Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
    """
    try:
        tree = ElementTree.fromstring(text)
        if not tree.tag.endswith("ListBucketResult"):
            raise ValueError("another document")
        found = [
            Stored(
                key=_text(one, "Key"),
                size=int(_text(one, "Size")),
                md5=tag if _MD5.fullmatch(tag := _text(one, "ETag").strip('"').lower()) else "",
            )
            for one in tree.iterfind("{*}Contents")
        ]
        token = _text(tree, "NextContinuationToken") if _text(tree, "IsTruncated") == "true" else ""
    except (ElementTree.ParseError, ValueError) as error:
        raise TryAgain("the answer is no listing of a bucket; a proxy or a login page may stand between") from error
    return found, token


def _text(node: ElementTree.Element, name: str) -> str:
    return node.findtext(f"{{*}}{name}") or ""


def _blocks(answer: Any, limit: int | None = None) -> Iterator[bytes]:
    """The body; a connection that breaks raises, one that ends early just ends: the reader knows the size."""
    got = 0
    with answer:
        while True:
            try:
                block = answer.read(_BLOCK)
            except (http.client.HTTPException, OSError) as error:
                raise TryAgain(f"the connection broke off ({type(error).__name__})") from error
            if not block:
                return
            got += len(block)
            if limit is not None and got > limit:
                raise TryAgain("the answer is no listing of a bucket; a proxy or a login page may stand between")
            yield block


def _refusal(error: urllib.error.HTTPError) -> Exception:
    with error:
        said = str(error.headers.get("Retry-After", "") if error.headers else "")
    if error.code in _PASSING:
        return TryAgain(f"the server is busy (HTTP {error.code})", wait_s=float(said) if said.isdigit() else None)
    if error.code == 416:
        return TryAgain("the server knows no such part of the object (HTTP 416)", restart=True)
    why = {403: "not public, or a proxy forbids it", 404: "not there; a newer index may know where it went"}
    return FetchError(f"the server refuses it: {why.get(error.code, error.reason)} (HTTP {error.code})")
