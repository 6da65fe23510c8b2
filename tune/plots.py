"""Optuna's own pictures of a study as they go into a page: history, epochs, parallel coordinates, importances.

Source: optuna.visualization.matplotlib, and its fANOVA for importances (Hutter et al. 2014). Each picture comes as the
URI of a PNG, or as the sentence that says why there is none.
"""

import base64
import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from optuna.study import Study
from optuna.trial import TrialState
from optuna.visualization import matplotlib as pictures

from carbonray.training.learner import Target
from tune.study import counted

FEWEST_FOR_IMPORTANCE = 8  # scored trials, inferred: fewer make importances that change with every trial
WIDTH_IN, HEIGHT_IN, DOTS_PER_IN = 8.0, 4.2, 110
AXIS_IN = 1.3  # between parallel axes, so that names of choices fit


@dataclass(frozen=True)
class Plot:
    """A picture, or why there is none.

    Attributes:
        title: of the picture.
        caption: what it shows.
        uri: of a PNG, empty where there is none.
        instead: why there is none.
    """

    title: str
    caption: str
    uri: str = ""
    instead: str = ""


def study_plots(study: Study, target: Target) -> list[Plot]:
    """The pictures of a study; one that needs more trials says so."""
    own = counted(study)
    scored = [trial for trial in own if trial.state == TrialState.COMPLETE]
    told = f"{target.metric}, {'small' if target.mode == 'min' else 'large'} is good"
    fewest = FEWEST_FOR_IMPORTANCE
    return [
        _plot(
            "History",
            f"Score of every trial in the order they were asked for, and the best so far ({told}).",
            "" if scored else "No trial came to its end.",
            lambda: pictures.plot_optimization_history(study, target_name=target.metric),
        ),
        _plot(
            "Epochs",
            f"Score after every epoch ({told}); a line that ends early was stopped.",
            "" if target.by_epoch else "Trials of this model report once, at their end.",
            lambda: pictures.plot_intermediate_values(study),
        ),
        _plot(
            "Parameters of every trial",
            f"A line a scored trial, its colour the score ({told}).",
            "" if len(scored) > 1 else "One scored trial makes no comparison.",
            lambda: pictures.plot_parallel_coordinate(study, target_name=target.metric),
            width_in=AXIS_IN * (2 + max((len(trial.params) for trial in own), default=0)),
        ),
        _plot(
            "What the score depends on",
            f"Share of the score's variance that a parameter explains (fANOVA), over {len(scored)} scored trials.",
            ""
            if len(scored) >= fewest
            else f"Importances need at least {fewest} scored trials; {len(scored)} are there.",
            lambda: pictures.plot_param_importances(study, target_name=target.metric),
        ),
    ]


def _plot(title: str, caption: str, lacking: str, draw: Callable[[], Axes], width_in: float = WIDTH_IN) -> Plot:
    if lacking:
        return Plot(title, caption, instead=lacking)
    with plt.rc_context(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Optuna's about its own pictures, matplotlib's about their layout
        plt.switch_backend("agg")
        draw()
        drawn = plt.gcf()
        try:
            drawn.set_size_inches(max(width_in, WIDTH_IN), HEIGHT_IN)
            buffer = io.BytesIO()
            drawn.savefig(buffer, format="png", dpi=DOTS_PER_IN, bbox_inches="tight")
        finally:
            plt.close("all")
    return Plot(title, caption, "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii"))
