"""Collects the nodes and constants of an ONNX graph under names of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.errors import BadInput

OPSET, IR = 17, 8
TYPES = {"half": 10, "float": 1, "double": 11, "int32": 6, "int64": 7, "uint8": 2, "uint32": 12}


def need_onnx() -> None:
    """Raises BadInput, with the way out, where the optional package `onnx` is missing."""
    try:
        import onnx  # noqa: F401
    except ImportError as error:
        raise BadInput('export needs the package onnx: pip install "headstart[export]"') from error


class Builder:
    """Nodes in the order in which they are computed, and constants, each stored once.

    A `branch` collects the nodes of one side of an `If`; names and constants are shared with the whole.
    """

    def __init__(self, whole: Builder | None = None) -> None:
        self.nodes: list[Any] = []
        self._whole = whole or self
        if whole is None:
            self.constants: dict[str, NDArray[Any]] = {}
            self._known: dict[tuple[str, tuple[int, ...], bytes], str] = {}
            self._count = 0

    def branch(self) -> Builder:
        """A builder for one side of an `If`."""
        return Builder(self._whole)

    def node(self, kind: str, *inputs: str, name: str | None = None, **attributes: Any) -> str:
        """Add a node with one output; returns the output's name."""
        from onnx import helper

        output = name or self.fresh(kind.lower())
        self.nodes.append(helper.make_node(kind, list(inputs), [output], name=output, **attributes))
        return output

    def fresh(self, word: str) -> str:
        """A name that nothing has yet."""
        self._whole._count += 1
        return f"{word}.{self._whole._count}"

    def constant(self, value: Any, kind: str | None = None) -> str:
        """A constant, of numpy's type or `kind` (int32, float64, …); equal ones are stored once."""
        array = np.ascontiguousarray(value, kind)
        array = array.reshape(np.shape(value))  # ascontiguousarray makes a scalar a vector
        key = (array.dtype.str, array.shape, array.tobytes())
        whole = self._whole
        if key not in whole._known:
            whole._known[key] = self.fresh("constant")
            whole.constants[whole._known[key]] = array
        return whole._known[key]

    def named(self, name: str, value: NDArray[Any]) -> str:
        """A constant under a given name."""
        self._whole.constants[name] = value
        return name

    def cast(self, x: str, kind: str) -> str:
        """`x` as one of TYPES."""
        return self.node("Cast", x, to=TYPES[kind])

    def stored(self, value: NDArray[np.floating], kind: str) -> str:
        """Weights as `kind` (float or double), kept in the file in the narrowest type that holds them exactly."""
        for narrow in (np.float16, np.float32):
            with np.errstate(over="ignore"):
                small = value.astype(narrow)
            if np.array_equal(small.astype(value.dtype), value):
                return self.cast(self.constant(small), kind)
        return self.cast(self.constant(value, "float64"), kind)

    def choice(self, condition: str, yes: tuple[Builder, str], no: tuple[Builder, str], kind: str) -> str:
        """The output of branch `yes` where the bool scalar `condition` holds, else of `no`; both of type `kind`."""
        from onnx import helper

        def graph(side: tuple[Builder, str]) -> Any:
            output = helper.make_tensor_value_info(side[1], TYPES[kind], None)
            return helper.make_graph(side[0].nodes, self.fresh("branch"), [], [output])

        return self.node("If", condition, then_branch=graph(yes), else_branch=graph(no))

    def model(self, inputs: Mapping[str, list[Any]], outputs: Mapping[str, tuple[str, list[Any]]]) -> Any:
        """The ONNX model, unchecked: inputs uint8 [shape] and outputs (type, shape) by name."""
        from onnx import helper, numpy_helper

        graph = helper.make_graph(
            self.nodes,
            "headstart",
            [helper.make_tensor_value_info(name, TYPES["uint8"], shape) for name, shape in inputs.items()],
            [
                helper.make_tensor_value_info(name, TYPES[kind], shape)
                for name, (kind, shape) in outputs.items()
            ],
            [numpy_helper.from_array(value, name) for name, value in self.constants.items()],
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)
