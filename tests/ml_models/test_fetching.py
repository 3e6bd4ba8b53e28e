"""Fetching against a server that cuts, lies, changes its mind, or is slow; and from a folder."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from ml_models import fetching, hashing, weights
from ml_models.download import ATTEMPTS, FetchFailed
from ml_models.fetching import Source
from tests.ml_models.conftest import GOOD, OTHER, bare_pickle, sha256, table, tensors_file, trapped_file
from tests.ml_models.server import Site, serving

pytestmark = pytest.mark.usefixtures("manifest")


def fetch(name, folder, site, **options):
    return fetching.fetch(name, folder, source=Source(base_address=site.address), backoff_s=0, **options)


def refusal(name, folder, site, **options):
    with pytest.raises(FetchFailed) as caught:
        fetch(name, folder, site, **options)
    return str(caught.value)


def left(folder):
    """What lies in the folder of models."""
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


INSTALLED = ["known.gz", "known.gz.checked.json"]


def test_whole_file_is_installed_and_then_left_alone(folder, site):
    seen = []

    assert fetch("known", folder, site, progress=lambda done, total: seen.append((done, total))) is True
    assert (folder / "known.gz").read_bytes() == GOOD
    assert left(folder) == INSTALLED
    assert (folder / "known.gz").stat().st_mode & 0o777 == 0o644
    assert (seen[0], seen[-1]) == ((0, len(GOOD)), (len(GOOD), len(GOOD)))
    assert fetch("known", folder, site) is False
    assert len(site.asked) == 1


def test_cut_connection_is_resumed_where_it_was_cut(folder, site):
    site.cuts = [50_000, 70_000]

    assert fetch("known", folder, site) is True
    assert [asked for _, asked in site.asked] == ["", "bytes=50000-", "bytes=120000-"]
    assert (folder / "known.gz").read_bytes() == GOOD


def test_a_later_run_resumes_what_an_earlier_one_left(folder, site):
    folder.mkdir()
    (folder / "known.gz.part").write_bytes(GOOD[:90_000])

    assert fetch("known", folder, site) is True
    assert site.asked == [("/known.gz", "bytes=90000-")]
    assert left(folder) == INSTALLED


def test_what_is_whole_already_is_not_fetched_again(folder, site):
    folder.mkdir()
    (folder / "known.gz.part").write_bytes(GOOD)

    assert fetch("known", folder, site) is True
    assert (folder / "known.gz").read_bytes() == GOOD


def test_a_wrong_beginning_is_thrown_away_and_all_fetched(folder, site):
    folder.mkdir()
    (folder / "known.gz.part").write_bytes(b"x" * 90_000)

    assert fetch("known", folder, site) is True
    assert [asked for _, asked in site.asked] == ["bytes=90000-", ""]
    assert (folder / "known.gz").read_bytes() == GOOD


def test_a_beginning_longer_than_the_file_is_thrown_away(folder, site):
    folder.mkdir()
    (folder / "known.gz.part").write_bytes(b"x" * (len(GOOD) + 5))

    assert fetch("known", folder, site) is True
    assert (folder / "known.gz").read_bytes() == GOOD


def test_server_without_ranges_starts_again(folder, site):
    site.knows_ranges, site.cuts = False, [50_000]

    assert fetch("known", folder, site) is True
    assert [asked for _, asked in site.asked] == ["", "bytes=50000-"]
    assert (folder / "known.gz").read_bytes() == GOOD


class ChangeAfterCut(list):
    """Cuts; with the last of them the server gets the good file."""

    def __init__(self, site, cuts):
        super().__init__(cuts)
        self.site = site

    def pop(self, index=-1):
        if len(self) == 1:
            self.site.files["known.gz"], self.site.etag = GOOD, '"two"'
        return super().pop(index)


def test_file_that_changes_between_two_parts_is_begun_again(folder, site):
    site.files["known.gz"] = OTHER
    site.cuts = ChangeAfterCut(site, [50_000])

    assert fetch("known", folder, site) is True
    assert (folder / "known.gz").read_bytes() == GOOD
    assert [asked for _, asked in site.asked] == ["", "bytes=50000-"]


def test_connection_that_is_always_cut_at_once_is_given_up(folder, site):
    site.cuts = [0] * 50

    said = refusal("known", folder, site)

    assert f"Gave up after {ATTEMPTS} attempts" in said
    assert len(site.asked) == ATTEMPTS
    assert left(folder) == []


def test_given_up_download_keeps_what_came(folder, site):
    site.cuts = [50_000, *[0] * 50]

    refusal("known", folder, site)

    assert (folder / "known.gz.part").stat().st_size == 50_000
    assert not (folder / "known.gz").exists()


def test_error_of_the_server_passes(folder, site):
    site.statuses = [500, 503]

    assert fetch("known", folder, site) is True
    assert len(site.asked) == 3


@pytest.mark.parametrize(
    ("status", "said"), [(404, "404 (not found)"), (403, "403 (forbidden)"), (410, "410")]
)
def test_refusal_of_the_server_is_final(folder, site, status, said):
    site.statuses = [status] * 9

    assert said in refusal("known", folder, site)
    assert len(site.asked) == 1
    assert left(folder) == []


def test_web_page_instead_of_the_file(folder, site):
    site.content_type = "text/html; charset=utf-8"

    assert "a web page instead of the file" in refusal("known", folder, site)
    assert left(folder) == []


def test_wrong_hash_names_both_and_installs_nothing(folder, site):
    site.files["known.gz"] = OTHER

    said = refusal("known", folder, site)

    assert sha256(OTHER) in said
    assert sha256(GOOD) in said
    assert left(folder) == []


def test_wrong_hash_leaves_what_was_installed(folder, site):
    fetch("known", folder, site)
    site.files["known.gz"] = OTHER

    refusal("known", folder, site, force=True)

    assert (folder / "known.gz").read_bytes() == GOOD
    assert weights.state("known", folder).is_verified


def test_short_file_is_refused_with_both_sizes(folder, site):
    site.files["known.gz"] = GOOD[:-100]

    assert f"has {len(GOOD) - 100} bytes instead of {len(GOOD)}" in refusal("known", folder, site)


def test_short_file_of_unknown_length_is_refused(folder, site):
    site.files["known.gz"], site.says_length, site.knows_ranges = GOOD[:-100], False, False

    said = refusal("known", folder, site)

    assert f"received only {len(GOOD) - 100} of {len(GOOD)} bytes" in said


def test_longer_file_is_refused_before_it_is_read(folder, site):
    site.files["known.gz"] = GOOD + bytes(100)

    assert f"has {len(GOOD) + 100} bytes instead of {len(GOOD)}" in refusal("known", folder, site)


def test_file_without_end_is_cut_off_at_the_limit(folder, site, monkeypatch):
    site.files["known.gz"], site.says_length = GOOD + bytes(10**6), False

    said = refusal("known", folder, site)

    assert f"received more than {len(GOOD) + fetching.TOLERANCE_BYTES} bytes" in said
    assert left(folder) == []


def test_file_of_unknown_size_has_a_limit_too(folder, site, monkeypatch):
    monkeypatch.setattr(fetching, "MAX_UNKNOWN_BYTES", 100_000)

    assert "the limit is 100000" in refusal("unknown", folder, site)


def test_encoded_answer_is_stored_as_it_came(folder, site):
    site.headers = {"Content-Encoding": "gzip"}

    assert fetch("known", folder, site) is True
    assert (folder / "known.gz").read_bytes() == GOOD


def test_unpublished_hash_is_recorded_and_then_asked_for(folder, site):
    with pytest.raises(weights.ModelUnavailable, match="not installed"):
        weights.find("unknown", folder)

    assert fetch("unknown", folder, site) is True
    assert weights.sha256_of("unknown", folder) == sha256(GOOD)
    (folder / "unknown.gz").write_bytes(OTHER)
    with pytest.raises(weights.ModelUnavailable, match="damaged or a different file"):
        weights.find("unknown", folder)


def test_another_file_under_a_recorded_name_needs_force(folder, site):
    fetch("unknown", folder, site)
    (folder / "unknown.gz").unlink()
    site.files["unknown.gz"] = OTHER

    assert "--force" in refusal("unknown", folder, site)
    assert fetch("unknown", folder, site, force=True) is True
    assert weights.sha256_of("unknown", folder) == sha256(OTHER)


def test_file_that_was_copied_by_hand_is_checked_and_recorded(folder, site):
    folder.mkdir()
    (folder / "unknown.gz").write_bytes(GOOD)
    with pytest.raises(weights.ModelUnavailable, match="never verified"):
        weights.find("unknown", folder)

    assert fetch("unknown", folder, site) is False
    assert weights.find("unknown", folder) == folder / "unknown.gz"


@pytest.mark.parametrize("make", [trapped_file, pytest.param(bare_pickle, marks=pytest.mark.check)])
def test_file_that_would_run_code_is_refused_and_runs_nothing(folder, site, tmp_path, make):
    trap = tmp_path / "trap"
    site.files["network.pth"] = make(trap)

    assert "would run code" in refusal("network", folder, site)
    assert not trap.exists()
    assert left(folder) == []


@pytest.mark.check
def test_file_of_another_kind_is_refused(folder, site):
    site.files["network.pth"] = b"<html>not found</html>" * 50
    site.files["unknown.gz"] = tensors_file()

    assert "not a PyTorch file" in refusal("network", folder, site)
    assert "not a gzip file" in refusal("unknown", folder, site)
    assert left(folder) == []


@pytest.mark.check
def test_file_of_another_model_is_refused_without_a_published_hash(folder, site, manifest):
    content = tensors_file()
    manifest(
        table("named", content, sha256="", suffix=".pth", holds=["conv.weight"]),
        table("strange", content, sha256="", suffix=".pth", holds=["conv.weight", "model.0.weight"]),
    )
    site.files |= {"named.pth": content, "strange.pth": content}

    assert fetch("named", folder, site) is True
    fetching.check("named", folder)
    assert "has no model.0.weight: it belongs to a different model" in refusal("strange", folder, site)
    assert left(folder) == ["named.pth", "named.pth.checked.json"]


def test_beginning_of_a_hash_is_asked_for(folder, site, manifest):
    manifest(table("begun", GOOD, sha256="", sha256_start=sha256(GOOD)[:8]))
    site.files["begun.gz"] = OTHER

    assert f"not one that begins with {sha256(GOOD)[:8]}" in refusal("begun", folder, site)
    folder.mkdir(exist_ok=True)
    (folder / "begun.gz").write_bytes(OTHER)  # by hand
    site.files["begun.gz"] = GOOD
    assert "does not start with" in weights.state("begun", folder).why_not
    assert fetch("begun", folder, site) is True
    assert weights.sha256_of("begun", folder) == sha256(GOOD)


def test_file_of_tensors(folder, site):
    site.files["network.pth"] = tensors_file()

    assert fetch("network", folder, site) is True
    assert set(weights.load_tensors("network", folder)) == {"conv.weight"}


def test_damaged_file_is_replaced(folder, site):
    fetch("known", folder, site)
    (folder / "known.gz").write_bytes(GOOD[:-1] + b"x")

    assert fetch("known", folder, site) is True
    assert (folder / "known.gz").read_bytes() == GOOD


def test_two_that_fetch_one_file_fetch_it_once(folder, site):
    site.hold = threading.Event()
    ends = []
    threads = [threading.Thread(target=lambda: ends.append(fetch("known", folder, site))) for _ in range(3)]
    for thread in threads:
        thread.start()
    site.hold.set()
    for thread in threads:
        thread.join(60)

    assert sorted(ends) == [False, False, True]
    assert len(site.asked) == 1
    assert left(folder) == INSTALLED


def test_two_processes_wait_for_each_other(folder, site, tmp_path):
    site.hold = threading.Event()
    code = (
        "import sys; from pathlib import Path; from ml_models import weights, fetching;"
        f"weights.MANIFEST = Path({str(weights.MANIFEST)!r});"
        f"print(fetching.fetch('known', {str(folder)!r}, source=fetching.Source(base_address={site.address!r})))"
    )
    runs = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    site.hold.set()

    assert sorted(run.communicate(timeout=60)[0].strip() for run in runs) == ["False", "True"]
    assert len(site.asked) == 1


def test_from_a_folder(folder, tmp_path):
    origin = tmp_path / "stick"
    origin.mkdir()
    (origin / "known.gz").write_bytes(GOOD)

    assert fetching.fetch("known", folder, source=Source(folder=origin)) is True
    assert left(folder) == INSTALLED
    with pytest.raises(FetchFailed, match=r"stick has no file unknown\.gz"):
        fetching.fetch("unknown", folder, source=Source(folder=origin))


def test_wrong_file_from_a_folder(folder, tmp_path):
    (tmp_path / "known.gz").write_bytes(OTHER)

    with pytest.raises(FetchFailed, match="damaged or a different file"):
        fetching.fetch("known", folder, source=Source(folder=tmp_path))
    assert left(folder) == []


def test_address_of_the_manifest_is_the_default(folder, site, manifest):
    manifest(table("known", GOOD, address=f"{site.address}/known.gz"))

    assert fetching.fetch("known", folder, backoff_s=0) is True


def test_nobody_answers(folder):
    with serving(Site()) as gone:
        pass

    assert "the connection failed or was cut" in refusal("known", folder, gone)


@pytest.mark.parametrize("address", ["http://", "http:///x"])
def test_address_that_is_none(folder, address):
    with pytest.raises(FetchFailed, match="is not a valid address|connection failed"):
        fetching.fetch("known", folder, source=Source(base_address=address), backoff_s=0)


def test_source_is_an_address_or_a_folder(tmp_path):
    assert Source.parse("https://mirror.example/m").base_address == "https://mirror.example/m"
    assert Source.parse(str(tmp_path)).folder == tmp_path
    with pytest.raises(FetchFailed, match="neither a folder"):
        Source.parse(str(tmp_path / "nothing"))


def test_mirror_may_be_given_as_the_address_of_the_file_itself():
    known = weights.entry("known")

    assert Source(base_address="http://m/a/").address(known) == "http://m/a/known.gz"
    assert Source(base_address="http://m/a/known.gz").address(known) == "http://m/a/known.gz"


def test_bundled_model_is_not_fetched(folder, site):
    assert "comes with Pix" in refusal("ours", folder, site)
    (weights.BUNDLED_DIR / "ours.gz").write_bytes(GOOD)
    assert fetch("ours", folder, site) is False
    assert site.asked == []


@contextlib.contextmanager
def without_root():
    """As somebody who may not write everywhere."""
    assert weights.entries()  # read while its folder can be
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_folder_that_cannot_be_written_is_said(site):
    place = Path(tempfile.mkdtemp(prefix="pix-models-"))
    place.chmod(0o555)
    try:
        with without_root():
            said = refusal("known", place, site)
        assert said.startswith(f"The folder {place} cannot be written")
    finally:
        place.chmod(0o755)
        shutil.rmtree(place)


def test_what_is_installed_in_a_folder_that_cannot_be_written_is_found(site):
    place = Path(tempfile.mkdtemp(prefix="pix-models-"))
    (place / "known.gz").write_bytes(GOOD)
    place.chmod(0o555)
    try:
        with without_root():
            assert fetch("known", place, site) is False
            assert weights.find("known", place) == place / "known.gz"
    finally:
        place.chmod(0o755)
        shutil.rmtree(place)


def test_check_reads_again_what_a_note_vouches_for(folder, site):
    fetch("known", folder, site)
    path = folder / "known.gz"
    path.write_bytes(GOOD[:-1] + b"x")
    hashing.write_note(path, sha256(GOOD))  # a note that lies
    assert weights.state("known", folder).is_verified

    with pytest.raises(weights.ModelUnavailable, match="damaged or a different file"):
        fetching.check("known", folder)
    assert not weights.state("known", folder).is_verified


def test_check_leaves_the_folder_of_the_project_alone(folder):
    (weights.BUNDLED_DIR / "ours.gz").write_bytes(GOOD)

    fetching.check("ours", folder)

    assert left(weights.BUNDLED_DIR) == ["ours.gz"]


@pytest.mark.check
def test_check_looks_inside(folder, tmp_path, manifest):
    trap = tmp_path / "trap"
    content = trapped_file(trap)
    manifest(table("network", content, suffix=".pth"))
    folder.mkdir()
    (folder / "network.pth").write_bytes(content)

    with pytest.raises(weights.ModelUnavailable, match="would run code"):
        fetching.check("network", folder)
    assert not trap.exists()
