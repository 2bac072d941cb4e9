"""Write the newest model of a run as one ONNX file: pixels in, a score per class out (needs headstart[export]).

Or write headstart itself as a submission for the AutoDL challenge.
"""

from __future__ import annotations

import argparse
import json


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `export`."""
    parser.add_argument("run", help="run folder; with --as submission the folder (or .zip) to write")
    parser.add_argument("out", nargs="?", help="the file to write (default: model.onnx)")
    parser.add_argument(
        "--as",
        dest="form",
        choices=("onnx", "submission"),
        default="onnx",
        help="onnx: a published model as one file (default); submission: the learner itself for the AutoDL challenge",
    )


def run(options: argparse.Namespace) -> int:
    """Runs `export`; returns the exit code."""
    if options.form == "submission":
        return _submission(options)
    from headstart.export.builder import need_onnx
    from headstart.export.file import export

    need_onnx()
    from headstart import model as models

    model = models.load(options.run)
    made = export(model, options.out or "model.onnx")
    if options.json:
        about = {"model": str(made.path), "bytes": made.size, "largest_difference": made.difference}
        print(json.dumps({**about, "classes": len(model.classes), "kind": model.kind, "inputs": made.inputs}))
        return 0
    print(f"{made.path}: {made.size / 1e6:.1f} MB, {len(model.classes)} classes")
    print(f"checked against predict: scores differ by at most {made.difference:.1g}")
    fed = ", ".join(f'"{name}": {name}' for name in made.inputs)
    print("to use it:", *_how(model.kind), sep="\n  ")
    print(f'  scores = onnxruntime.InferenceSession({str(made.path)!r}).run(["scores"], {{{fed}}})[0][0]')
    return 0


def _submission(options: argparse.Namespace) -> int:
    """The learner as a submission for the AutoDL challenge."""
    from headstart.challenge.export_submission import export_submission
    from headstart.errors import BadInput

    if options.out is not None:
        raise BadInput(
            "a submission is a learner, not a model: name only what to write, as in "
            f"`headstart export --as submission {options.out}`"
        )
    made = export_submission(options.run)
    if options.json:
        print(json.dumps({"submission": str(made.path), "files": made.files, "bytes": made.size}))
    else:
        print(f"{made.path}: {made.files} files, {made.size / 1e6:.1f} MB (the challenge takes 300)")
    return 0


def _how(kind: str) -> tuple[str, str]:
    """Two lines of Python that make the input; the third one runs the file."""
    if kind == "image":
        return (
            "import numpy, onnxruntime; from PIL import Image",
            'image = numpy.asarray(Image.open("new.png").convert("RGB"))[None]',
        )
    return (
        "import onnxruntime",
        "image, after = ..., ...  # frames of one clip, uint8 [frames, height, width, 3]: docs/export.md",
    )
