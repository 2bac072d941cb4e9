"""The front rooms: what a user asks for, turned into a run."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from headstart import model as models
from headstart.choosing import Chooser
from headstart.data.arrays import Pictures, encode, items
from headstart.data.scan import scan, scan_unlabelled
from headstart.errors import BadBudget, BadInput
from headstart.learn.plan import with_backbone
from headstart.learn.snapshot import Noted, Progressed, Snapshot
from headstart.learn.threads import one_thread
from headstart.methods import Method, challenging, planned
from headstart.model import Model
from headstart.running import Choosing, Run, default_plan
from headstart.store.run import RunFolder
from headstart.words.clock import Budget, Clock, CostClock, WallClock
from headstart.words.config import Config
from headstart.words.task import Kind, LabelKind, Samples, Task

if TYPE_CHECKING:
    from headstart.data.autodl.dataset import AutoDL

PathLike = str | os.PathLike[str]
Source = PathLike | Sequence[Any] | NDArray[Any]
"""A folder, a list (CSV), or samples from Python: see `data.scan.scan` and `data.arrays.Pictures`."""


TOO_SHORT = "the budget of {} ended before a first prediction: give more time (a few seconds are enough)"


@dataclass(frozen=True)
class Request:
    """What a user asks of one run. Times in seconds; None = decided by headstart.

    path: what to learn from. labels: of samples from Python (`data.arrays.encode`). test: what to predict along
    the way. kind, label_kind: instead of what is found. seed: of all that is drawn at random. backbone: a network
    of timm, `timm:resnet18` or `timm:resnet18@224`, that joins the small stages; weights: its local state dict.
    method, library: see `fit`. held_out: a source of the library that must not be
    used, for evaluation. remember: whether the run becomes a prior of the user's library, or of that in a folder.
    """

    path: Source
    budget: Budget
    out: Path
    test: Source | None = None
    config: Config | None = None
    clock: Clock | None = None
    workers: int | None = None
    labels: Any = None
    kind: Kind | None = None
    label_kind: LabelKind | None = None
    seed: int | None = None
    backbone: str | None = None
    weights: Path | None = None
    method: Method = "anytime"
    library: bool | tuple[Path, ...] = True
    held_out: str = ""
    remember: bool | Path = False


def fit(
    path: Source,
    budget: str | float = "20m",
    out: PathLike = "run",
    *,
    labels: Any = None,
    test: Source | None = None,
    kind: Kind | None = None,
    label_kind: LabelKind | None = None,
    config: Config | None = None,
    workers: int | None = None,
    seed: int | None = None,
    backbone: str | None = None,
    weights: PathLike | None = None,
    method: Method = "anytime",
    library: bool | PathLike = True,
) -> Model:
    """Learn from labelled images or videos; return the best model that the budget allows.

    path: a folder with one sub-folder per class, a folder with a `labels.csv`, such a list itself, or (with
    `labels`, one per sample or a list of them) paths, PIL images or arrays.
    budget: "90s", "20m", "1h" or seconds. out: the run folder; a run that was cut short there goes on from its
    features. test: unlabelled files (or samples), whose predictions go to `out/predictions.csv`.
    kind: "image" or "video", label_kind: "single" or "multi", instead of what is found.
    backbone: a network of timm, such as "timm:resnet18", that joins the small stages (needs `headstart[torch]`);
    weights: its state dict, where it is not to come from the hub.
    method: "anytime" (the stages, and a network that is trained beside them where torch is installed), "frozen" (the
    stages alone) or "transfer" (one network, trained by the configuration's recipe or the paper's).
    library: whether the stages after the first are those that did best on priors of the task's kind:
    True = those that come with the package and the user's own, a folder = those in it, False = the automatic plan.
    Raises BadInput for what cannot be learnt from, Busy when another process writes the same run folder.
    """
    published = False
    for _ in watch(
        path,
        budget,
        out,
        labels=labels,
        test=test,
        kind=kind,
        label_kind=label_kind,
        config=config,
        workers=workers,
        seed=seed,
        backbone=backbone,
        weights=weights,
        method=method,
        library=library,
    ):
        published = True
    if not published:
        raise BadBudget(TOO_SHORT.format(Budget.parse(budget)))
    return models.load(out)


def watch(
    path: Source,
    budget: str | float = "20m",
    out: PathLike = "run",
    *,
    labels: Any = None,
    test: Source | None = None,
    kind: Kind | None = None,
    label_kind: LabelKind | None = None,
    config: Config | None = None,
    workers: int | None = None,
    seed: int | None = None,
    backbone: str | None = None,
    weights: PathLike | None = None,
    method: Method = "anytime",
    library: bool | PathLike = True,
) -> Iterator[Snapshot]:
    """As `fit`, but a generator of every published snapshot, while the run goes on."""
    request = Request(
        path,
        Budget.parse(budget),
        Path(out),
        test,
        config,
        None,
        workers,
        labels,
        kind,
        label_kind,
        seed,
        backbone,
        None if weights is None else Path(weights),
        method,
        library if isinstance(library, bool) else (Path(library),),
    )
    for event in run(request):
        if isinstance(event, Snapshot):
            yield event


def run(request: Request) -> Iterator[Snapshot | Progressed | Noted | Task]:
    """The whole run: the Task that was found, then progress and every snapshot after it was published."""
    clock = request.clock or WallClock()
    clock.charge("start", "process", 0, 1)
    task, pictures = _task(request)
    yield task
    yield from run_task(replace(request, clock=clock), task, pictures)


def run_task(
    request: Request, task: Task, pictures: Pictures | AutoDL | None = None
) -> Iterator[Snapshot | Progressed | Noted]:
    """As `run`, on a task that was found already. pictures: its samples where they are in memory."""
    clock = request.clock or WallClock()
    config = planned(request.method, request.config, task)
    training = challenging(request.method, config, task, request.clock, request.seed)
    if request.backbone is not None:
        config = _with_backbone(request, task, pictures)
    choosing = _choosing(request) if config is None else None
    with ExitStack() as stack:
        stack.enter_context(one_thread())
        folder = stack.enter_context(RunFolder.open(request.out))
        work = Run(
            task,
            folder,
            clock,
            request.budget,
            config,
            request.seed,
            request.workers,
            pictures,
            training,
            choosing,
        )
        stack.callback(work.close)
        yield from work.events()
        if request.remember:
            yield from _remembered(request, task, work, clock)


def _remembered(request: Request, task: Task, work: Run, clock: Clock) -> Iterator[Noted]:
    """The run as a prior of the library; says under which name."""
    from headstart.remembering import remember

    where = None if isinstance(request.remember, bool) else request.remember
    kind = type(clock).__name__.removesuffix("Clock").lower()
    name = remember(
        task,
        work.config,
        work.features,
        work.landmarks(),
        work.folder.read_curve(),
        "table:simulated" if isinstance(clock, CostClock) else kind,
        request.budget,
        where,
    )
    if name is not None:
        yield Noted(clock.now(), f"remembered as the prior {name}")


def _choosing(request: Request) -> Choosing | None:
    """What plans the stages after the first pass by the library of priors; None where that is not wanted."""
    if request.library is False:
        return None
    folders = None if request.library is True else request.library

    def made(task: Task, config: Config, budget: Budget) -> Chooser:
        return Chooser(task, config, budget, folders, request.held_out)

    return made


def _with_backbone(request: Request, task: Task, pictures: Pictures | AutoDL | None) -> Config:
    """The plan with the network that was asked for, which is exported first where it is not yet."""
    from headstart.backbones.cached import PREFIX
    from headstart.transfer.timm_export import prepare

    if request.config is not None:
        raise BadInput(
            "a backbone goes into the automatic plan: name it in the configuration's stages instead."
        )
    asked, _, size = (request.backbone or "").partition("@")
    if size and not size.isdecimal():
        raise BadInput(f"the pixels of {request.backbone!r} are no number: write, for example, {asked}@224")
    row = prepare(asked if asked.startswith(PREFIX) else PREFIX + asked, request.weights)
    pixels = [int(size)] if size else list(row.pixels[:1]) if row.fixed else [128, 224]
    outputs = [output for output, _ in row.outputs]
    return with_backbone(default_plan(task, pictures), row.name, outputs, pixels)


def _task(request: Request) -> tuple[Task, Pictures | AutoDL | None]:
    """The task, and its samples that are in memory."""
    if not isinstance(request.path, (str, os.PathLike)):
        return _from_python(request, request.path)
    if request.labels is not None:
        raise BadInput("labels go with a list of samples; a folder's or a list's labels are in itself.")
    if _is_autodl(request.path):
        from headstart.data.autodl.dataset import open_dataset

        data = open_dataset(request.path, kind=request.kind, label_kind=request.label_kind)
        if request.test is not None:
            raise BadInput("data in the challenge's format bring their own test split: leave out `test`.")
        return data.task, data
    task = scan(request.path, kind=request.kind, labels=request.label_kind)
    return _with_test(task, request.test)


def _is_autodl(path: PathLike) -> bool:
    """Whether a folder is in the challenge's format, or holds one that is; its reader is loaded only then."""
    try:
        ending = (os.fspath(path).rstrip("/\\"), *os.listdir(path))
    except OSError:
        return False  # the scan says what is wrong
    if not any(name.endswith(".data") for name in ending):
        return False
    from headstart.data.autodl.layout import is_autodl

    return is_autodl(path)


def _with_test(task: Task, test: Source | None) -> tuple[Task, Pictures | AutoDL | None]:
    if test is None:
        return task, None
    if isinstance(test, (str, os.PathLike)):
        samples, skipped = scan_unlabelled(test, task.kind)
        return replace(task, test=samples, skipped=task.skipped + skipped), None
    pictures = Pictures(test, task.kind)
    return replace(task, test=Samples("", pictures.names)), pictures


def _from_python(request: Request, what: Any) -> tuple[Task, Pictures | AutoDL | None]:
    """The task that samples and labels from Python state."""
    if request.labels is None:
        raise BadInput("a list of samples needs `labels`, one for each.")
    targets, classes, label_kind = encode(request.labels, len(what) if hasattr(what, "__len__") else None)
    if request.label_kind not in (None, label_kind):
        raise BadInput(f"these labels are {label_kind}-label, not {request.label_kind}-label.")
    kind = request.kind or "image"
    names = tuple(map(str, classes.tolist()))
    if isinstance(request.test, (str, os.PathLike)) or request.test is None:
        pictures = Pictures(what, kind)
        task = Task("samples", kind, label_kind, names, Samples("", pictures.names, targets))
        return _with_test(task, request.test)[0], pictures
    pictures = Pictures([*items(what, kind), *items(request.test, kind)], kind)
    count = len(what)
    train, test = Samples("", pictures.names[:count], targets), Samples("", pictures.names[count:])
    return Task("samples", kind, label_kind, names, train, test), pictures
