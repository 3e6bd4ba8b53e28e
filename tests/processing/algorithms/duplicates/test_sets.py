"""Sets of the same image, and the original that is suggested."""

from datetime import UTC, datetime

import numpy as np
import pytest

from processing.algorithms.duplicates.pairs import candidates
from processing.algorithms.duplicates.sets import DuplicateCandidate, sets_of, suggest_original
from processing.algorithms.errors import InvalidParameter


def pairs(*found):
    return np.array(found, np.intp).reshape(-1, 2)


def test_copies_of_two_pictures_are_two_sets():
    assert sets_of(pairs((0, 4), (4, 2), (2, 0), (1, 5)), 7) == [[0, 2, 4], [1, 5]]


@pytest.mark.parametrize("count", [0, 1, 3])
def test_without_pairs_there_are_no_sets(count):
    assert sets_of(pairs(), count) == []
    assert sets_of(pairs(), count, apart=pairs()) == []


def test_three_in_a_row_are_a_set_and_a_long_chain_is_not():
    assert sets_of(pairs((0, 1), (1, 2)), 3) == [[0, 1, 2]]

    chain = sets_of(pairs(*((row, row + 1) for row in range(99))), 100)

    assert max(map(len, chain)) <= 4


def test_two_sets_that_one_pair_bridges_stay_two():
    inside = [(a, b) for rows in (range(4), range(4, 8)) for a in rows for b in rows if a < b]
    assert sets_of(pairs(*inside, (0, 4)), 8) == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert sets_of(pairs((0, 4), *inside), 8) != [list(range(8))]


def test_pictures_that_people_called_different_never_share_a_set():
    every = pairs((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))

    assert sets_of(every, 4, apart=pairs((3, 0))) == [[0, 1, 2]]
    assert sets_of(pairs((0, 1)), 2, apart=pairs((0, 1))) == []
    assert sets_of(every, 4, apart=pairs((3, 3))) == [[0, 1, 2, 3]]


def test_very_many_equal_pictures_are_one_set_though_not_all_pairs_were_kept():
    found = candidates(np.zeros(1500, np.int64), most=60_000)
    assert found.is_cut
    assert sets_of(found.up_to(0), 1500) == [list(range(1500))]


def test_pairs_may_repeat_and_name_themselves():
    assert sets_of(pairs((0, 1), (1, 0), (2, 2)), 3) == [[0, 1]]


def test_rows_that_do_not_exist_are_refused():
    with pytest.raises(InvalidParameter, match="0 to 1"):
        sets_of(pairs((0, 2)), 2)
    with pytest.raises(InvalidParameter, match="apart"):
        sets_of(pairs((0, 1)), 2, apart=pairs((-1, 0)))


def test_the_larger_one_with_camera_data_is_the_original():
    small = DuplicateCandidate(800, 600, 71, format="jpg", byte_size=90_000)
    large = DuplicateCandidate(4000, 3000, 92, has_camera_data=True, format="jpg", byte_size=3_200_000)

    found = suggest_original([small, large])

    assert found.index == 1
    assert found.reasons == (
        "larger: 4000 × 3000 against 800 × 600",
        "better quality: 92 against 71",
        "has camera data",
        "more data: 3.2 MB against 90 kB",
    )


@pytest.mark.parametrize(
    ("sizes", "reason"),
    [
        ((148, 294), "more data: 294 bytes against 148 bytes"),
        ((82_100, 82_300), "more data: 82,300 bytes against 82,100 bytes"),
        ((1_310_000, 1_340_000), "more data: 1,340,000 bytes against 1,310,000 bytes"),
        ((1_310_000, 2_500_000), "more data: 2.5 MB against 1.3 MB"),
    ],
)
def test_sizes_that_differ_read_differently(sizes, reason):
    found = suggest_original([DuplicateCandidate(80, 60, byte_size=size) for size in sizes])
    assert (found.index, found.reasons) == (1, (reason,))


def test_an_enlarged_copy_is_not_the_original():
    original = DuplicateCandidate(2000, 1500, 80, has_camera_data=True)
    enlarged = DuplicateCandidate(4000, 3000, 60)
    assert suggest_original([enlarged, original]).index == 1


def test_a_reduced_copy_that_looks_sharper_is_not_the_original():
    assert (
        suggest_original([DuplicateCandidate(1000, 750, 95), DuplicateCandidate(4000, 3000, 75)]).index == 1
    )


def test_of_the_same_pixels_the_lossless_file_is_the_original():
    found = suggest_original(
        [DuplicateCandidate(640, 480, 80, format="jpg"), DuplicateCandidate(640, 480, 81, format="png")]
    )
    assert (found.index, found.reasons) == (1, ("lossless: PNG",))


def test_the_earliest_capture_decides_between_equals():
    early, late = (
        DuplicateCandidate(640, 480, captured_at=datetime(2024, month, 1, tzinfo=UTC)) for month in (3, 4)
    )
    found = suggest_original([late, early, DuplicateCandidate(640, 480)])
    assert (found.index, found.reasons) == (1, ("taken first: 2024-03-01 00:00",))


def test_equals_alone_and_none():
    same = suggest_original([DuplicateCandidate(640, 480)] * 3)
    assert (same.index, same.reasons) == (
        0,
        ("same as the others in every comparison; the first one was chosen",),
    )
    assert suggest_original([DuplicateCandidate(0, 0)]).reasons == ()
    with pytest.raises(InvalidParameter, match="without images"):
        suggest_original([])
