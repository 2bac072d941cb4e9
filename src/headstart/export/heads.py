"""The ensemble as ONNX nodes: features in, posteriors out, in the precision that `heads` computes in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from headstart.errors import BadInput
from headstart.export.builder import Builder
from headstart.heads.ensemble import Ensemble, Member
from headstart.heads.neighbours import K
from headstart.words.task import LabelKind


def unit(graph: Builder, features: str) -> str:
    """Rounded to half precision as the run's cache does, then as `heads.kernel.unit`: float32 [n, dim]."""
    stored = graph.cast(graph.cast(features, "half"), "float")
    rooted = graph.node("Sqrt", graph.node("Max", stored, graph.constant(0, "float32")))
    length = graph.node("Sqrt", _squares(graph, rooted))
    return graph.node("Div", rooted, graph.node("Max", length, graph.constant(1e-9, "float32")))


def posteriors(graph: Builder, ensemble: Ensemble, features: Mapping[str, str]) -> str:
    """Posteriors float32 [n, classes], from unit-length features float32 [n, dim] of each block."""
    landmarks = {block: np.asarray(ensemble.landmarks[block], np.float32) for block in ensemble.blocks}
    products = {
        block: graph.node("MatMul", features[block], graph.stored(np.ascontiguousarray(fixed.T), "float"))
        for block, fixed in landmarks.items()
    }
    own = {block: _squares(graph, features[block]) for block in landmarks}
    share = graph.constant(1 / len(ensemble.members), "float32")
    parts = []
    for member in ensemble.members:
        kernel = _kernel(graph, member, products, own, landmarks)
        part = _posteriors(graph, _scores(graph, member, kernel), member.temperature, ensemble.labels)
        parts.append(graph.node("Mul", part, share))
    average = graph.node("Sum", *parts)
    return _sharpened(graph, average, ensemble.temperature, ensemble.labels)


def blended(graph: Builder, ensemble: Ensemble, said: str | None, logits: Sequence[str]) -> str:
    """What the members say (None: there are none) with the share of the networks' average, as `heads.trained`."""
    trained = ensemble.trained
    if trained is None:
        assert said is not None
        return said
    wide = [graph.cast(one, "double") for one in logits]
    parts = [_posteriors(graph, one, trained.temperature, ensemble.labels) for one in wide]
    theirs = graph.node("Mul", graph.node("Sum", *parts), graph.constant(1 / len(parts), "float32"))
    if said is None:
        return theirs
    ours = graph.node("Mul", said, graph.constant(1 - ensemble.share, "float32"))
    return graph.node("Add", ours, graph.node("Mul", theirs, graph.constant(ensemble.share, "float32")))


def _squares(graph: Builder, x: str) -> str:
    """Squared length of each row, [n, 1]."""
    return graph.node("ReduceSum", graph.node("Mul", x, x), graph.constant([1], "int64"), keepdims=1)


def _kernel(
    graph: Builder,
    member: Member,
    products: Mapping[str, str],
    own: Mapping[str, str],
    landmarks: Mapping[str, NDArray[np.float32]],
) -> str:
    """Kernel values to the member's landmarks, float64 [n, landmarks]."""
    first, last, axis = (graph.constant([value], "int64") for value in (0, member.landmarks, 1))
    total = graph.node(
        "Sum", *(graph.node("Slice", products[block], first, last, axis) for block in member.blocks)
    )
    if member.kernel.name == "linear":
        return graph.cast(total, "double")
    if member.kernel.name != "rbf":
        raise BadInput(f"this model has the kernel {member.kernel.name!r}, which export does not know")
    rows = graph.node("Sum", *(own[block] for block in member.blocks))
    lengths = [np.einsum("ij,ij->i", landmarks[block], landmarks[block]) for block in member.blocks]
    columns = np.sum([length[: member.landmarks] for length in lengths], axis=0)
    exponent = graph.node("Sub", graph.node("Mul", total, graph.constant(2, "float32")), rows)
    exponent = graph.node("Sub", exponent, graph.constant(columns, "float32"))
    exponent = graph.node("Min", exponent, graph.constant(0, "float32"))
    width = graph.constant(member.kernel.gamma / member.kernel.scale, "float32")
    return graph.cast(graph.node("Exp", graph.node("Mul", exponent, width)), "double")


def _scores(graph: Builder, member: Member, kernel: str) -> str:
    """Class scores float64 [n, classes]."""
    weights = graph.stored(member.weights, "double")
    if member.head == "neighbours":
        return _votes(graph, kernel, weights, min(K, member.landmarks))
    return graph.node("Add", graph.node("MatMul", kernel, weights), graph.stored(member.offset, "double"))


def _votes(graph: Builder, kernel: str, indicator: str, k: int) -> str:
    """As `heads.neighbours.votes`."""
    from onnx import helper

    nearest, places = graph.fresh("nearest"), graph.fresh("places")
    count = graph.constant([k], "int64")
    graph.nodes.append(helper.make_node("TopK", [kernel, count], [nearest, places], name=nearest, axis=1))
    similar = graph.node("Max", nearest, graph.constant(0, "float64"))
    axis = graph.constant([1], "int64")
    total = graph.node("ReduceSum", similar, axis, keepdims=1)
    weights = graph.node("Div", similar, graph.node("Max", total, graph.constant(1e-12, "float64")))
    classes = graph.node("Gather", indicator, places, axis=0)  # [n, k, classes]
    votes = graph.node("MatMul", graph.node("Unsqueeze", weights, axis), classes)
    return graph.node("Squeeze", votes, axis)


def _posteriors(graph: Builder, scores: str, temperature: float, labels: LabelKind) -> str:
    """As `heads.calibration.posteriors`: float32 [n, classes]."""
    scaled = graph.node("Div", scores, graph.constant(temperature, "float64"))
    if labels == "single":
        return graph.cast(graph.node("Softmax", scaled, axis=1), "float")
    bound = graph.constant(30, "float64")
    bounded = graph.node("Max", graph.node("Min", scaled, bound), graph.node("Neg", bound))
    return graph.cast(graph.node("Sigmoid", bounded), "float")


def _sharpened(graph: Builder, average: str, temperature: float, labels: LabelKind) -> str:
    """As `heads.calibration.sharpened`."""
    if temperature == 1.0:
        return average
    least, most = graph.constant(1e-9, "float64"), graph.constant(1 - 1e-7, "float64")
    exact = graph.node("Max", graph.node("Min", graph.cast(average, "double"), most), least)
    scores = graph.node("Log", exact)
    if labels == "multi":
        other = graph.node("Sub", graph.constant(1, "float64"), exact)
        scores = graph.node("Sub", scores, graph.node("Log", other))
    return _posteriors(graph, scores, temperature, labels)
