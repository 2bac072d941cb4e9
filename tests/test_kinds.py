"""A task is compared with priors of its own kind."""

from __future__ import annotations

import numpy as np

from headstart.meta.evaluate import Evidence, evaluate
from headstart.meta.kinds import of_kind
from headstart.meta.performance import Performance
from headstart.meta.selectors.plain import SingleBest

NAN = np.nan
TABLE = Performance.of(
    ["birds", "cats", "dogs", "waves", "walks"],
    ["both", "moving", "still"],
    np.array([[0.5, NAN, 0.9], [0.6, NAN, 0.8], [0.7, NAN, 0.6], [0.9, 0.8, NAN], [0.2, 0.8, NAN]]),
)
KINDS = {"birds": "image", "cats": "image", "dogs": "image", "waves": "video", "walks": "video"}


def test_rows_of_the_kind_and_what_was_run_on_them_are_left() -> None:
    clips = of_kind(TABLE, KINDS, "video")
    assert clips.priors == ("waves", "walks") and clips.configs == ("both", "moving")
    assert of_kind(TABLE, KINDS, "image").configs == ("both", "still")


def test_of_an_unknown_kind_nothing_is_left_and_of_unknown_priors_everything() -> None:
    assert of_kind(TABLE, KINDS, "sound").priors == of_kind(TABLE, KINDS, "sound").configs == ()
    assert of_kind(TABLE, {}, "image").priors == TABLE.priors


def test_a_rule_sees_no_prior_of_another_kind() -> None:
    told = evaluate(TABLE, [SingleBest()], Evidence(kinds=KINDS))
    assert [choice.config for choice in told.outcomes[0].choices] == [
        "still",
        "still",
        "still",
        "moving",
        "both",
    ]
    plain = evaluate(TABLE, [SingleBest()], Evidence())
    assert plain.outcomes[0].choices[4].config == "still"  # no clip ever was seen by it


def test_the_only_prior_of_its_kind_is_compared_with_all() -> None:
    alone = TABLE.subset(["birds", "cats", "walks"])
    told = evaluate(alone, [SingleBest()], Evidence(kinds=KINDS))
    assert [pick.config for pick in told.outcomes[0].choices[2].picks] == ["still", "both"]
    assert told.outcomes[0].reached[2] == 0.2  # of "both": "still" cannot be run on clips
