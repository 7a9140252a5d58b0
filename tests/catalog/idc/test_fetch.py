"""Downloads from a server on this machine that speaks S3's words and fails on demand, and from a mirror."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pandas as pd
import pytest

from hounsfield.catalog.idc.buckets import Bucket, Mirror, TryAgain, parse_listing
from hounsfield.catalog.idc.fetch import Fetched, fetch
from hounsfield.catalog.idc.index import FetchError
from hounsfield.catalog.idc.transfer import Retry

SOURCES = pd.DataFrame(columns=["source_doi", "license", "license_url", "title", "citation"])


class Store:
    """Objects of the bucket `pub`, what was asked for, and what goes wrong: (path, kind) -> how often."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.asked: list[tuple[str, str]] = []
        self.faults: dict[tuple[str, str], int] = {}
        self.page = 1000
        self.tags: dict[str, str] = {}
        self.ranges = True
        self.lock = threading.Lock()

    def fault(self, path: str, kind: str) -> bool:
        with self.lock:
            left = self.faults.get((path, kind), 0)
            self.faults[path, kind] = left - 1
            return left > 0


class Handler(BaseHTTPRequestHandler):
    store: Store

    def log_message(self, format: str, *args: object) -> None: ...

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        asked = parse_qs(parts.query)
        key = unquote(parts.path).removeprefix("/pub/")
        self.store.asked.append((key, self.headers.get("Range", "")))
        if self.store.fault(key, "503"):
            self.send_response(503)
            self.send_header("Retry-After", "7")
            self.end_headers()
        elif asked:
            self._list(asked["prefix"][0], asked.get("continuation-token", [""])[0])
        elif key in self.store.objects:
            self._get(key)
        else:
            self.send_error(404)

    def _list(self, prefix: str, token: str) -> None:
        if self.store.fault(prefix, "login"):
            self._send(200, b"<html><body>Please log in</body></html>")
            return
        keys = sorted(key for key in self.store.objects if key.startswith(prefix) and key > token)
        page, rest = keys[: self.store.page], keys[self.store.page :]
        body = "".join(
            f"<Contents><Key>{key}</Key><Size>{len(self.store.objects[key])}</Size>"
            f"<ETag>&quot;{self.store.tags.get(key) or md5(self.store.objects[key])}&quot;</ETag></Contents>"
            for key in page
        )
        more = f"<IsTruncated>{'true' if rest else 'false'}</IsTruncated>"
        more += f"<NextContinuationToken>{page[-1]}</NextContinuationToken>" if rest else ""
        space = "http://s3.amazonaws.com/doc/2006-03-01/"
        self._send(200, f'<ListBucketResult xmlns="{space}">{more}{body}</ListBucketResult>'.encode())

    def _get(self, key: str) -> None:
        body = self.store.objects[key]
        if self.store.fault(key, "damaged"):
            body = bytes([body[0] ^ 1]) + body[1:]
        said = self.headers.get("Range")
        start = int(said.removeprefix("bytes=").rstrip("-")) if said and self.store.ranges else 0
        headers = {"Content-Length": str(len(body) - start)}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
        sent = body[start:]
        if self.store.fault(key, "cut"):
            sent = sent[: len(sent) // 2]
        self._send(206 if start else 200, sent, headers)

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def md5(body: bytes) -> str:
    return hashlib.md5(body).hexdigest()


@pytest.fixture
def store() -> Store:
    found = Store()
    for series in ("aaa", "bbb"):
        for at in range(3):
            found.objects[f"{series}/{at}.dcm"] = f"{series} {at} ".encode() * (500 + at)
    return found


@pytest.fixture
def bucket(store: Store) -> Iterator[Bucket]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"store": store}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield Bucket(f"http://127.0.0.1:{server.server_port}/{{bucket}}", timeout_s=5)
    server.shutdown()
    thread.join()
    server.server_close()


def selection(store: Store, *names: str) -> pd.DataFrame:
    rows = []
    for name in names or ("aaa", "bbb"):
        bodies = [body for key, body in store.objects.items() if key.startswith(f"{name}/")]
        rows.append(
            {
                "collection": "made_up",
                "patient_id": "../P^1",  # must not lead out of the folder
                "study_uid": "1.2",
                "series_uid": f"1.2.{name}",
                "modality": "CT",
                "objects": len(bodies),
                "license": "CC BY 4.0",
                "source_doi": "10.1/A",
                "url": f"s3://pub/{name}/*",
                "size_bytes": sum(map(len, bodies)),
            }
        )
    return pd.DataFrame(rows)


def folder_of(name: str) -> str:
    return f"made_up/.._P_1/1.2/CT_1.2.{name}"


class Waits:
    """Stands in for the clock: notes how long would have been waited."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


def run(store: Store, out: Path, source: Bucket | Mirror, *names: str, waits: Waits | None = None) -> Fetched:
    retry = Retry(pause=waits or Waits())
    return fetch(selection(store, *names), out, source, workers=2, retry=retry, sources=SOURCES)


def test_every_byte_with_licence_citation_and_manifest(store: Store, bucket: Bucket, tmp_path: Path):
    done = run(store, tmp_path, bucket)
    assert done.failures == {}
    assert done.bytes_new == sum(map(len, store.objects.values()))
    for key, body in store.objects.items():
        series, name = key.split("/")
        assert (tmp_path / folder_of(series) / name).read_bytes() == body
    assert "CC BY 4.0: 2 series" in (tmp_path / "made_up/LICENSE.txt").read_text()
    assert "https://doi.org/10.1/A" in (tmp_path / "made_up/CITATION.txt").read_text()
    manifest = pd.read_csv(tmp_path / "manifest.csv")
    assert list(manifest["state"]) == ["complete", "complete"]
    assert not list(tmp_path.rglob("*.part"))


def test_what_is_there_is_not_asked_for_again(store: Store, bucket: Bucket, tmp_path: Path):
    run(store, tmp_path, bucket, "aaa")
    store.asked.clear()
    assert run(store, tmp_path, bucket).bytes_new == sum(len(store.objects[f"bbb/{k}.dcm"]) for k in range(3))
    assert not any(key.startswith("aaa/") for key, _ in store.asked)
    (tmp_path / folder_of("aaa") / "1.dcm").unlink()
    store.asked.clear()
    run(store, tmp_path, bucket, "aaa")
    assert [key for key, _ in store.asked if key] == ["aaa/1.dcm"]
    # A later call with other series keeps the rows of the earlier one.
    assert sorted(pd.read_csv(tmp_path / "manifest.csv")["series_uid"]) == ["1.2.aaa", "1.2.bbb"]


def test_a_killed_download_goes_on_at_its_byte(store: Store, bucket: Bucket, tmp_path: Path):
    part = tmp_path / folder_of("aaa") / ".0.dcm.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(store.objects["aaa/0.dcm"][:1000])
    whole = part.with_name(".1.dcm.part")  # stopped between the last byte and the check
    whole.write_bytes(store.objects["aaa/1.dcm"])
    assert run(store, tmp_path, bucket, "aaa").failures == {}
    assert ("aaa/0.dcm", "bytes=1000-") in store.asked
    assert not any(key == "aaa/1.dcm" for key, _ in store.asked)
    assert (part.with_name("0.dcm")).read_bytes() == store.objects["aaa/0.dcm"]


@pytest.mark.parametrize("ranges", [True, False], ids=["server takes ranges", "server takes none"])
def test_a_body_that_ends_early_is_completed(store: Store, bucket: Bucket, tmp_path: Path, ranges: bool):
    store.faults["aaa/1.dcm", "cut"] = 1
    store.ranges = ranges
    assert run(store, tmp_path, bucket, "aaa").failures == {}
    assert (tmp_path / folder_of("aaa") / "1.dcm").read_bytes() == store.objects["aaa/1.dcm"]
    half = len(store.objects["aaa/1.dcm"]) // 2
    assert ("aaa/1.dcm", f"bytes={half}-") in store.asked


def test_a_leftover_of_other_bytes_is_thrown_away(store: Store, bucket: Bucket, tmp_path: Path):
    part = tmp_path / folder_of("aaa") / ".0.dcm.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * 100)  # the MD5 tells only in the end
    part.with_name(".1.dcm.part").write_bytes(b"x" * 1_000_000)  # longer than the object
    assert run(store, tmp_path, bucket, "aaa").failures == {}
    assert (part.with_name("0.dcm")).read_bytes() == store.objects["aaa/0.dcm"]


def test_a_busy_server_is_waited_for_as_it_asks(store: Store, bucket: Bucket, tmp_path: Path):
    store.faults["aaa/2.dcm", "503"] = 2
    waits = Waits()
    assert run(store, tmp_path, bucket, "aaa", waits=waits).failures == {}
    assert waits.seconds == [7.0, 7.0]


def test_a_server_that_stays_busy_fails_that_series_alone(store: Store, bucket: Bucket, tmp_path: Path):
    store.faults["aaa/2.dcm", "503"] = 99
    done = run(store, tmp_path, bucket)
    assert done.failures == {"1.2.aaa": "2.dcm: the server is busy (HTTP 503); tried 6 times"}
    assert list(done.manifest["state"]) == ["incomplete", "complete"]
    assert "HTTP 503" in (tmp_path / "manifest.csv").read_text()
    store.faults.clear()
    assert run(store, tmp_path, bucket).failures == {}
    assert list(pd.read_csv(tmp_path / "manifest.csv")["state"]) == ["complete", "complete"]


def test_damaged_bytes_never_get_a_name(store: Store, bucket: Bucket, tmp_path: Path):
    store.faults["aaa/0.dcm", "damaged"] = 1
    assert run(store, tmp_path / "once", bucket, "aaa").failures == {}
    store.faults["aaa/0.dcm", "damaged"] = 99
    done = run(store, tmp_path / "always", bucket, "aaa")
    assert "MD5" in done.failures["1.2.aaa"]
    assert not (tmp_path / "always" / folder_of("aaa") / "0.dcm").exists()


def test_a_tag_that_is_no_md5_is_not_compared(store: Store, bucket: Bucket, tmp_path: Path):
    store.tags["aaa/0.dcm"] = md5(b"of the parts") + "-2"
    assert run(store, tmp_path, bucket, "aaa").failures == {}
    assert bucket.objects("pub", "aaa")[0].md5 == ""


def test_long_listings_come_in_pages(store: Store, bucket: Bucket, tmp_path: Path):
    store.page = 1
    assert run(store, tmp_path, bucket, "aaa").failures == {}
    assert len(bucket.objects("pub", "aaa")) == 3


def test_a_login_page_is_no_listing(store: Store, bucket: Bucket, tmp_path: Path):
    store.faults["aaa/", "login"] = 1
    assert run(store, tmp_path / "once", bucket, "aaa").failures == {}
    store.faults["aaa/", "login"] = 99
    with pytest.raises(FetchError, match="login page"):
        run(store, tmp_path / "always", bucket, "aaa")
    with pytest.raises(TryAgain, match="no listing"):
        parse_listing(b"not xml")


def test_no_network_ends_at_once(store: Store, tmp_path: Path):
    waits = Waits()
    with pytest.raises(FetchError, match=r"no connection to 127.0.0.1:9 .*--from FOLDER"):
        run(store, tmp_path, Bucket("http://127.0.0.1:9"), waits=waits)
    assert waits.seconds == [1.0, 2.0, 4.0, 8.0, 16.0]  # of one listing, not of every series
    assert (tmp_path / "made_up/LICENSE.txt").exists()


def test_a_series_that_is_not_there_or_not_as_the_index_says(store: Store, bucket: Bucket, tmp_path: Path):
    chosen = selection(store)
    store.objects["bbb/9.dcm"] = b"one more"
    for key in [key for key in store.objects if key.startswith("aaa/")]:
        del store.objects[key]
    done = fetch(chosen, tmp_path, bucket, retry=Retry(pause=Waits()), sources=SOURCES)
    assert "its folder holds 0 files" in done.failures["1.2.aaa"]
    assert "4 files" in done.failures["1.2.bbb"]
    assert "the index states 3" in done.failures["1.2.bbb"]


def test_a_server_can_not_choose_where_a_file_goes(store: Store, bucket: Bucket, tmp_path: Path):
    store.objects["aaa/../../evil.dcm"] = b"x"
    assert "no plain file name" in run(store, tmp_path, bucket, "aaa").failures["1.2.aaa"]
    assert not list(tmp_path.rglob("evil*"))


def test_from_a_mirror(store: Store, tmp_path: Path):
    for key, body in store.objects.items():
        for root in (tmp_path / "with/pub", tmp_path / "without"):
            (root / key).parent.mkdir(parents=True, exist_ok=True)
            (root / key).write_bytes(body)
    for name in ("with", "without"):
        done = run(store, tmp_path / f"out-{name}", Mirror(tmp_path / name))
        assert done.failures == {}
        assert (tmp_path / f"out-{name}" / folder_of("bbb") / "2.dcm").read_bytes() == store.objects["bbb/2.dcm"]
    part = tmp_path / "out-with" / folder_of("aaa") / ".0.dcm.part"
    part.with_name("0.dcm").unlink()
    part.write_bytes(store.objects["aaa/0.dcm"][:10])
    assert run(store, tmp_path / "out-with", Mirror(tmp_path / "with")).bytes_new == len(store.objects["aaa/0.dcm"])
    with pytest.raises(FetchError, match="no folder nowhere"):
        Mirror(tmp_path / "nowhere")
    for file in (tmp_path / "with/pub/aaa").iterdir():
        file.unlink()
    (tmp_path / "with/pub/aaa").rmdir()
    done = run(store, tmp_path / "again", Mirror(tmp_path / "with"))
    assert done.failures == {"1.2.aaa": "the mirror has no folder aaa"}


def test_a_disk_too_small_is_told_before_the_first_byte(store: Store, bucket: Bucket, tmp_path: Path):
    huge = selection(store).assign(size_bytes=10**18)
    with pytest.raises(FetchError, match="GB free"):
        fetch(huge, tmp_path / "out", bucket, sources=SOURCES)
    assert store.asked == []


def test_a_foreign_manifest_is_left_alone(store: Store, bucket: Bucket, tmp_path: Path):
    (tmp_path / "manifest.csv").write_text("a,b\n1,2\n")
    with pytest.raises(FetchError, match=r"manifest.csv in .* is not of this program"):
        run(store, tmp_path, bucket)
    assert (tmp_path / "manifest.csv").read_text() == "a,b\n1,2\n"
