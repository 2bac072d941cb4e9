"""The meta classifiers: what all of them promise, and what each does in particular."""

from __future__ import annotations

import itertools
import pickle

import numpy as np
import pytest

from headstart.meta.similarity.centroid import CentroidVote
from headstart.meta.similarity.contract import EachRanker, Method, Priors, likeness, nearest
from headstart.meta.similarity.frechet import Frechet
from headstart.meta.similarity.kmeans import KMeansVote, lloyd
from headstart.meta.similarity.lda import LOWEST, Lda
from headstart.meta.similarity.mlp import Perceptron, Schedule, drawn, loss_and_gradient, trained
from headstart.meta.similarity.mlp_moments import MlpMoments
from headstart.meta.similarity.mlp_vote import MlpVote
from headstart.meta.similarity.nearest_mean import NearestMean
from headstart.meta.similarity.projection import principal, standard
from headstart.meta.similarity.ranges import METHODS
from headstart.meta.similarity.ranges import drawn as drawn_method
from headstart.meta.similarity.tuning import halves, tuned
from headstart.meta.similarity.vae_ttest import Latent, TTest, by_class, distance

D = 12
CHEAP: dict[str, Method] = {
    **METHODS,
    "mlp_vote": MlpVote(neurons=16, steps=150, rate=1e-2),
    "mlp_log": MlpVote(neurons=16, steps=150, rate=1e-2, rule="log"),
    "mlp_moments": MlpMoments(batch=16, neurons=32, steps=150, vectors=24, rate=1e-2),
    "mlp_deep": MlpVote(neurons=16, steps=150, rate=1e-2, layers=2),
    "kmeans": KMeansVote(clusters=8, starts=3),
    "frechet_full": Frechet(full=True),
    "nearest_mean_all": NearestMean(None),
}
KINDS = sorted(CHEAP)


def invented(n: int = 60, seed: int = 0) -> dict[str, np.ndarray]:
    """Four sets of features around centres of their own, of different sizes, in no alphabetical order."""
    centres = np.random.default_rng(99).normal(0, 2, (4, D))
    rng = np.random.default_rng(seed)
    return {
        name: (centre + rng.normal(0, 1, (n + 10 * place, D))).astype(np.float32)
        for place, (name, centre) in enumerate(zip(("pear", "fig", "apple", "lime"), centres, strict=True))
    }


@pytest.fixture(scope="module")
def priors() -> Priors:
    return invented()


@pytest.mark.parametrize("kind", KINDS)
def test_unseen_samples_are_recognised(kind: str, priors: Priors) -> None:
    ranker = CHEAP[kind].fit(priors, 0)
    for name, rows in invented(seed=1).items():
        ranks = ranker.rank(rows[:16])
        assert set(ranks) == set(priors)
        assert all(type(value) is float and np.isfinite(value) for value in ranks.values())
        assert nearest(ranks) == name


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_is_a_set_and_any_size_of_it_will_do(kind: str, priors: Priors) -> None:
    ranker = CHEAP[kind].fit(priors, 0)
    rows = invented(seed=2)["fig"]
    one, two = ranker.rank(rows[:20]), ranker.rank(rows[:20][::-1])
    assert one == pytest.approx(two, abs=1e-4)
    for count in (1, 2, 3, len(rows)):
        assert np.isfinite(list(ranker.rank(rows[:count]).values())).all()
    for bad in (rows[:0], rows[:, :-1], rows[0]):
        with pytest.raises(ValueError, match="a batch is"):
            ranker.rank(bad)


@pytest.mark.parametrize("kind", KINDS)
def test_the_seed_decides_and_the_order_of_the_priors_does_not(kind: str, priors: Priors) -> None:
    rows = invented(seed=3)["lime"][:8]
    one = CHEAP[kind].fit(priors, 7).rank(rows)
    assert CHEAP[kind].fit(dict(reversed(priors.items())), 7).rank(rows) == one


@pytest.mark.parametrize("kind", KINDS)
def test_a_rank_is_the_mean_over_samples_where_samples_are_asked_one_by_one(
    kind: str, priors: Priors
) -> None:
    ranker = CHEAP[kind].fit(priors, 0)
    if isinstance(ranker, EachRanker):
        rows = invented(seed=4)["pear"][:9]
        each = ranker.each(rows)
        assert each.shape == (9, 4)
        assert list(ranker.rank(rows).values()) == pytest.approx(each.mean(0).tolist(), abs=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_odd_priors_are_lived_with_or_refused(kind: str) -> None:
    method = CHEAP[kind]
    rng = np.random.default_rng(0)
    single = method.fit({"only": rng.random((5, D)).astype(np.float32)}, 0)
    assert nearest(single.rank(np.zeros((2, D), np.float32))) == "only"
    flat = {"a": np.zeros((3, D), np.float32), "b": np.zeros((3, D), np.float32)}
    flat["b"][:, 0] = 1
    ranks = method.fit(flat, 0).rank(flat["a"])
    assert np.isfinite(list(ranks.values())).all()
    small = {"a": np.zeros((2, D), np.float32), "b": np.ones((2, D), np.float32)}
    assert np.isfinite(list(method.fit(small, 0).rank(small["b"]).values())).all()
    bad: Priors
    for bad in ({}, {"a": np.zeros((1, D), np.float32)}, {"a": flat["a"], "b": np.zeros((3, 2), np.float32)}):
        with pytest.raises(ValueError, match="priors"):
            method.fit(bad, 0)


def test_names_are_told_apart() -> None:
    assert len({method.name for method in METHODS.values()}) == len(METHODS)


def test_ties_go_by_name() -> None:
    assert nearest({"b": 1.0, "a": 1.0, "c": 0.0}) == "a"


def test_likeness_is_for_people() -> None:
    assert likeness(0.3) == 1.0 and likeness(0.0) == 1.0
    assert likeness(-1.0) == pytest.approx(0.368, abs=1e-3)


def test_small_priors_count_as_much_as_large_ones() -> None:
    rng = np.random.default_rng(0)
    large = rng.normal(0, 1, (3000, 5)).astype(np.float32)
    small = rng.normal(4, 1, (30, 5)).astype(np.float32)
    middle = standard([large, small]).mean
    assert middle == pytest.approx(np.full(5, 2.0), abs=0.4)


def test_principal_axes_keep_distances_where_none_is_left_out() -> None:
    rows = list(invented().values())
    plain, turned = standard(rows), principal(rows, D)
    one, two = plain(rows[0][:1])[0], plain(rows[1][:1])[0]
    a, b = turned(rows[0][:1])[0], turned(rows[1][:1])[0]
    assert np.linalg.norm(one - two) == pytest.approx(np.linalg.norm(a - b), rel=1e-4)
    assert principal(rows, 3)(rows[0]).shape == (60, 3)


def test_a_feature_that_never_varies_is_ignored() -> None:
    rows = [part.copy() for part in invented().values()]
    for part in rows:
        part[:, 0] = 5
    values = standard(rows)(rows[0] + 100)
    assert not values[:, 0].any()


def test_nearest_mean_does_not_take_small_batches_for_strangers(priors: Priors) -> None:
    ranker = NearestMean().fit(priors, 0)
    rows = invented(n=2000, seed=5)["fig"]
    small = [ranker.rank(rows[4 * n : 4 * n + 4])["fig"] for n in range(300)]
    assert np.mean(small) == pytest.approx(ranker.rank(rows)["fig"], abs=0.05)
    assert ranker.rank(rows)["fig"] == pytest.approx(0, abs=0.05)


def test_frechet_sees_spread_where_means_agree() -> None:
    rng = np.random.default_rng(0)
    mixed = np.linalg.qr(rng.normal(size=(D, D)))[0]
    wide = (rng.normal(0, 1, (500, D)) * np.linspace(0.2, 3, D)) @ mixed
    round_ = rng.normal(
        0, wide.std(0), (500, D)
    )  # the same spread of each feature, but they do not go together
    sets = {"wide": wide.astype(np.float32), "round": round_.astype(np.float32)}
    more = ((rng.normal(0, 1, (300, D)) * np.linspace(0.2, 3, D)) @ mixed).astype(np.float32)
    assert nearest(Frechet(full=True).fit(sets, 0).rank(more)) == "wide"
    own = Frechet(full=True).fit(sets, 0).rank(sets["wide"])
    assert own["wide"] == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("method", [NearestMean(), Frechet(), TTest(), TTest("effect")], ids=lambda m: m.name)
def test_the_further_a_set_is_from_a_prior_the_less_it_is_like_it(method: Method, priors: Priors) -> None:
    """No jumps as of a hash: what differs a little is told from what differs much."""
    ranker, rows = method.fit(priors, 0), invented(seed=9)["fig"]
    away = np.random.default_rng(5).normal(0, 1, D).astype(np.float32)
    ranks = [ranker.rank(rows + step * away)["fig"] for step in (0.0, 0.5, 1.0, 2.0, 4.0)]
    assert ranks == sorted(ranks, reverse=True) and len(set(ranks)) == len(ranks)


@pytest.mark.parametrize("kind", ["kmeans", "centroid", "mlp_vote"])
def test_the_majority_of_the_samples_decides(kind: str, priors: Priors) -> None:
    ranker = CHEAP[kind].fit(priors, 0)
    more = invented(seed=10)
    strangers = 30 * more["lime"][:6]  # however far off: each has one vote
    ranks = ranker.rank(np.concatenate([more["fig"][:9], strangers]))
    assert nearest(ranks) == "fig" and sum(ranks.values()) == pytest.approx(1)


def test_no_sample_decides_alone() -> None:
    priors = invented()
    ranker = Lda().fit(priors, 0)
    rows = np.concatenate([priors["fig"][:9], priors["lime"][:1] * 1000])
    assert ranker.each(rows).min() >= LOWEST  # type: ignore[attr-defined]
    assert nearest(ranker.rank(rows)) == "fig"


def test_lloyd_finds_what_is_plain_and_leaves_empty_centres_alone() -> None:
    points = np.array([[0, 0], [0, 1], [10, 0], [10, 1]], np.float32)
    start = np.array([[1, 1], [9, 1], [500, 500]], np.float32)
    centres, cost = lloyd(points, start, 100)
    assert centres.tolist() == [[0, 0.5], [10, 0.5], [500, 500]]
    assert cost == pytest.approx(1.0)


def test_clusters_belong_to_the_prior_that_has_most_of_them() -> None:
    rng = np.random.default_rng(0)
    here, there = rng.normal(0, 0.1, (2, 40, 3)).astype(np.float32)
    priors = {"a": here, "b": np.concatenate([there[:5], there[5:] + 9])}
    ranker = KMeansVote(clusters=2, starts=3, dims=3).fit(priors, 0)
    assert ranker.rank(here[:10]) == {"a": 1.0, "b": 0.0}
    assert ranker.rank(here[:10] + 9) == {"a": 0.0, "b": 1.0}


def test_centroids_are_medians() -> None:
    rows = invented()["fig"]
    spoilt = rows.copy()
    spoilt[:5] += 1e4
    fitted = CentroidVote().fit({"fig": spoilt, "lime": invented()["lime"]}, 0)
    middle = fitted.project(np.median(spoilt, axis=0)[None])
    assert np.allclose(fitted.centroids[0], middle, atol=1e-4)


def test_slopes_are_those_of_the_loss() -> None:
    rng = np.random.default_rng(0)
    network = drawn((4, 6, 5, 3), rng)
    inputs, classes = rng.normal(size=(7, 4)).astype(np.float32), rng.integers(3, size=7)
    masks = [(rng.random((7, width)) < 0.5).astype(np.float32) * 2 for width in (6, 5)]
    # in double precision, where differences can be small
    weights, biases = (
        [array.astype(np.float64) for array in part] for part in (network.weights, network.biases)
    )
    wide = Perceptron(tuple(weights), tuple(biases))  # type: ignore[arg-type]
    _, slopes = loss_and_gradient(wide, inputs, classes, masks)
    for array, slope in zip((*wide.weights, *wide.biases), slopes, strict=True):
        place = tuple(int(rng.integers(side)) for side in array.shape)
        kept, moved = array[place], []
        for step in (1e-4, -1e-4):
            array[place] = kept + step
            moved.append(loss_and_gradient(wide, inputs, classes, masks)[0])
        array[place] = kept
        assert slope[place] == pytest.approx((moved[0] - moved[1]) / 2e-4, rel=1e-3, abs=1e-6)


def test_training_learns_what_no_line_separates_and_leaves_the_start_alone() -> None:
    rng = np.random.default_rng(0)
    start = drawn((2, 32, 2), rng)
    before = [array.copy() for array in (*start.weights, *start.biases)]

    def draw(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        inputs = rng.normal(size=(64, 2)).astype(np.float32)
        return inputs, (inputs[:, 0] * inputs[:, 1] > 0).astype(np.intp)

    network = trained(start, draw, Schedule(400, 1e-2, dropout=0.1), rng)
    inputs, classes = draw(np.random.default_rng(1))
    assert (network(inputs).argmax(1) == classes).mean() > 0.93
    assert all(np.array_equal(a, b) for a, b in zip(before, (*start.weights, *start.biases), strict=True))


def test_between_two_layers_is_swish() -> None:
    one, none = np.eye(1, dtype=np.float32), np.zeros(1, np.float32)
    network = Perceptron((one, 2 * one), (none, none))
    inputs = np.array([[-3.0], [0.0], [0.5], [4.0]], np.float32)
    expected = [2 * x / (1 + np.exp(-x)) for x in (-3.0, 0.0, 0.5, 4.0)]
    assert network(inputs)[:, 0].tolist() == pytest.approx(expected, rel=1e-5)


def test_the_sizes_are_those_of_the_papers_figure_2() -> None:
    """128 samples of 512 features, five moments: 2560 numbers, two layers, 20 data sets."""
    rng = np.random.default_rng(0)
    priors = {f"set {n:02}": rng.random((128, 512), np.float32) for n in range(20)}
    which = ("mean", "sd", "variance", "skewness", "kurtosis")
    moments = MlpMoments(batch=128, which=which, neurons=16, vectors=2, steps=1).fit(priors)
    assert [weight.shape for weight in moments.network.weights] == [(2560, 16), (16, 20)]
    vote = MlpVote(neurons=16, steps=1).fit(priors)
    assert [weight.shape for weight in vote.network.weights] == [(512, 16), (16, 20)]
    assert len(vote.rank(priors["set 00"])) == 20


def test_a_new_prior_trains_perceptrons_anew_and_leaves_what_a_t_test_keeps() -> None:
    sets = invented()
    few = {name: sets[name] for name in ("apple", "fig", "lime")}
    before, after = TTest().fit(few), TTest().fit(sets)
    kept = dict(zip(after.names, after.known, strict=True))
    for name, old in zip(before.names, before.known, strict=True):
        assert old.n == kept[name].n
        assert np.array_equal(old.mean, kept[name].mean) and np.array_equal(old.sd, kept[name].sd)
    perceptron = MlpVote(neurons=16, steps=5)
    one, two = (perceptron.fit(known).network.weights for known in (few, sets))
    assert (one[-1].shape[1], two[-1].shape[1]) == (3, 4) and not np.allclose(one[0], two[0])


@pytest.mark.parametrize("kind", KINDS)
def test_samples_of_priors_are_not_kept(kind: str) -> None:
    """What is asked at test time needs the batch, and of priors weights, means or centres alone."""
    few, many = (len(pickle.dumps(CHEAP[kind].fit(invented(n), 0))) for n in (60, 600))
    assert abs(many - few) < 100


def test_welch_by_hand() -> None:
    one = Latent.of(np.array([[1.0, 0], [2, 0], [3, 0]], np.float32))  # mean 2, variance 1
    two = Latent.of(np.array([[5.0, 0], [9, 0]], np.float32))  # mean 7, variance 8
    t = 5 / np.sqrt(1 / 3 + 8 / 2)
    assert distance(one, two) == pytest.approx(t / 2)  # the second feature does not differ
    assert distance(two, one) == distance(one, two)
    assert distance(one, two, "effect") == pytest.approx(5 / np.sqrt((1 + 8) / 2) / 2)
    single = Latent.of(np.array([[4.0, 0]], np.float32))
    assert distance(single, one) == pytest.approx(2 / np.sqrt(1 + 1 / 3) / 2)  # with the other's variance


def test_an_effect_does_not_grow_with_the_batch_and_t_does(priors: Priors) -> None:
    rows = invented(n=1000, seed=6)["fig"]
    t, effect = TTest().fit(priors), TTest("effect").fit(priors)
    assert t.rank(rows)["lime"] < 2 * t.rank(rows[:10])["lime"]
    assert effect.rank(rows)["lime"] == pytest.approx(effect.rank(rows[:100])["lime"], rel=0.2)


def test_the_most_similar_class_is_named() -> None:
    sets = invented()
    rows = np.concatenate([*sets.values(), np.zeros((1, D), np.float32)])
    titles = (*sets, "rare", "none")
    labels = np.repeat(np.arange(4), [len(part) for part in sets.values()])
    ranker = by_class(rows, np.append(labels, 4), titles)
    assert ranker.names == tuple(sorted(sets))  # a single sample has no spread
    for name, more in invented(seed=8).items():
        assert nearest(ranker.rank(more[:12])) == name
    with pytest.raises(ValueError, match="no priors"):
        by_class(rows[:1], np.array([0]), ("a",))


@pytest.mark.parametrize("kind", sorted(METHODS))
def test_draws_stay_in_the_papers_ranges(kind: str) -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        method = drawn_method(kind, rng)
        assert type(method) is type(METHODS[kind])
        match method:
            case KMeansVote():
                assert 5 <= method.clusters <= 40 and 10 <= method.starts <= 30
                assert 100 <= method.iterations <= 500
            case MlpVote() | MlpMoments():
                assert 1e-5 <= method.rate <= 1e-2 and 0 <= method.dropout <= 0.8
                assert method.batch in (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
                assert method.neurons in (16, 32, 64, 128, 256, 512, 1024)
                assert not isinstance(method, MlpMoments) or (method.which and 0 <= method.trim <= 0.4)


def test_a_search_is_never_worse_than_no_search_and_halves_what_it_tries(priors: Priors) -> None:
    found = tuned("lda", priors, trials=9, seed=0, batches=2)
    assert [sum(trial.effort == effort for trial in found.trials) for effort in (1 / 9, 1 / 3, 1)] == [
        9,
        3,
        1,
    ]
    assert found.trials[0].method == METHODS["lda"]
    assert found.accuracy >= found.trials[0].accuracy
    assert found == tuned("lda", priors, trials=9, seed=0, batches=2)
    assert tuned("nearest_mean", priors, trials=1).method == METHODS["nearest_mean"]
    with pytest.raises(ValueError, match="one trial"):
        tuned("lda", priors, trials=0)


def test_what_is_fitted_and_what_is_asked_share_no_sample(priors: Priors) -> None:
    one, two = halves(priors, np.random.default_rng(0))
    for name, rows in priors.items():
        assert len(one[name]) + len(two[name]) == len(rows)
        together = {row.tobytes() for row in itertools.chain(one[name], two[name])}
        assert len(together) == len(rows)
    with pytest.raises(ValueError, match="four samples"):
        halves({"a": np.zeros((3, 2), np.float32)}, np.random.default_rng(0))
