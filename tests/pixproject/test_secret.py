from concurrent.futures import ThreadPoolExecutor

from pixproject.secret import secret_key


def test_key_is_made_once_and_kept(tmp_path):
    first = secret_key(tmp_path / "new" / "folder")
    assert len(first) >= 50
    assert secret_key(tmp_path / "new" / "folder") == first


def test_key_is_readable_by_its_owner_only(tmp_path):
    secret_key(tmp_path)
    assert (tmp_path / "secret_key").stat().st_mode & 0o777 == 0o600


def test_twenty_first_starts_agree_on_one_key(tmp_path):
    with ThreadPoolExecutor(20) as threads:
        keys = list(threads.map(secret_key, [tmp_path] * 20))
    assert len(set(keys)) == 1


def test_key_of_an_interrupted_first_start_is_filled_in(tmp_path):
    (tmp_path / "secret_key").touch()
    assert len(secret_key(tmp_path)) >= 50
