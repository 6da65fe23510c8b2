"""Appendix C as it is written, one feature of one plant and day after the other: twin of the vectorised features."""

import numpy as np

from carbonray.science.power.lookback import ABOVE, features


def plain_loop(soundings, outputs, plant, day, windows, rules):
    """(feature,) of one plant and day."""
    answer = []
    for feature in features(outputs, windows):
        mine = [o for o in range(len(outputs)) if outputs[o].imager == feature.imager]
        inside = (soundings.plant == plant) & (soundings.day > day - feature.window_days) & (soundings.day <= day)
        images = {}
        for at in np.flatnonzero(inside & np.isin(soundings.output, mine)):
            images.setdefault(soundings.image[at], {})[outputs[soundings.output[at]]] = soundings.value[at]
        top, bottom = 0.0, 0.0
        for said in images.values():
            of = {head: [v for o, v in said.items() if o.head == head] for head in ("cls", "reg")}
            own = [v for o, v in said.items() if (o.model, o.head) == (feature.model, feature.head)]
            value = own if feature.model else ([np.mean(of[feature.head])] if of[feature.head] else [])
            if not value or (feature.statistic == "weighted" and not of["cls"]):
                continue
            if feature.statistic == "weighted":
                on = np.mean(of["cls"])
                top += 2 * abs(on - 0.5) * value[0]
                bottom += 2 * abs(on - 0.5) if rules.weighting == "normalised" else max(on, rules.epsilon)
            else:
                top += value[0] > 0.5 if feature.statistic == ABOVE else value[0]
                bottom += 1
        answer.append(top / bottom if bottom > 0 else np.nan)
    return np.array(answer)
