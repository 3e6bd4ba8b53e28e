"""The words in which an analysis may be asked for over REST."""

import pytest

from tests.factories import make_client
from tests.factories.analyzed import MODEL, analysed, batch_of, heaps, with_vectors

pytestmark = pytest.mark.django_db


@pytest.fixture
def client():
    return make_client("process")


@pytest.fixture
def batch():
    return batch_of(with_vectors(heaps(8, 12)))


def at(batch, part=""):
    return f"/api/batches/{batch.pk}/{part}"


def test_the_short_words_of_an_analysis(client, batch):
    short = {"embedder": MODEL, "selection": "eom", "epsilon": 0.25, "algorithm": "hdbscan", "reducer": "pca"}

    run = client.post(at(batch, "analyze/"), short).json()["run"]

    found = run["parameters"]
    assert run["model"] == MODEL
    assert (found["cluster_selection_method"], found["cluster_selection_epsilon"]) == ("eom", 0.25)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"algorithm": "kmeans"}, "algorithm"),
        ({"reducer": "umap"}, "reducer"),
        ({"selection": "eom", "cluster_selection_method": "leaf"}, "selection"),
        ({"embedder": "nothing"}, "embedder"),
        ({"epsilon": -1}, "epsilon"),
    ],
)
def test_a_wrong_word_is_named(client, batch, body, field):
    response = client.post(at(batch, "analyze/"), body)

    assert (response.status_code, response.json()["errors"][0]["field"]) == (400, field)
    assert batch.runs.count() == 0


def test_what_describes_a_batch_is_used(client, batch):
    client.patch(at(batch), {"parameters": {"model": MODEL, "min_cluster_size": 7}})

    run = client.post(at(batch, "analyze/"), {}).json()["run"]

    assert (run["model"], run["parameters"]["min_cluster_size"]) == (MODEL, 7)


def test_a_run_is_compared_with_the_active_groups(client, batch):
    run = analysed(batch)
    diff = at(batch, f"runs/{run.number}/diff/")

    answers = [client.get(diff), client.get(f"{diff}?against=active"), client.get(f"{diff}?against=3")]

    assert [answer.status_code for answer in answers] == [200, 200, 400]
    assert answers[0].json() == answers[1].json()


def test_equal_pictures_in_no_group_are_explained():
    run = analysed(batch_of(with_vectors(heaps(8))), cluster_selection_method="leaf")

    assert (run.status, run.n_groups, run.notes) == (
        "completed",
        0,
        [
            "The images do not fall into several groups of at least 5, and one of all was not allowed; all images "
            "remain ungrouped. You can allow a single group (allow_single_cluster) and select fewer, larger groups "
            "(cluster_selection_method eom), or lower the smallest group (min_cluster_size, now 5)."
        ],
    )
