"""Tables of a sweep as Arrow schemas: every trial of every study, and what the untouched fold says."""

import pyarrow as pa

from carbonray.vocab.columns import DATA_TIER, column

TRIALS = pa.schema(
    [
        column("target", pa.string(), "1", "what the study optimises, such as on"),
        column("number", pa.int32(), "1", "of the trial in its study"),
        column("state", pa.string(), "1", "COMPLETE, PRUNED, FAIL; RUNNING or WAITING where the search was cut off"),
        column("metric", pa.string(), "1", "score, the mean over the validation folds of the search"),
        column("value", pa.float64(), "1", "score at the end, of a stopped trial its last; NaN of a failed one"),
        column("epochs", pa.int32(), "1", "last epoch whose score was told; 1 where a trial reports but once"),
        column("seconds", pa.float64(), "s", "from asking to the end, over all attempts of the process"),
        column("parameters", pa.string(), "1", "name -> value as JSON, names below the prefix of the space"),
        column("origin", pa.string(), "1", "why it was asked for: default, again, a warm start; empty where drawn"),
        column("why", pa.string(), "1", "why it failed or could not be tried"),
    ]
)

SCORES = pa.schema(
    [
        column("target", pa.string(), "1", "what was tuned, such as on"),
        column("model", pa.string(), "1", "tuned, default, trivial, or tuned - default"),
        column("metric", pa.string(), "1", "score on the fold that no trial saw"),
        column("value", pa.float64(), "1", "score over all rows of the fold"),
        column("low", pa.float64(), "1", "lower end of the interval, groups drawn anew"),
        column("high", pa.float64(), "1", "upper end of the interval"),
        column("undefined", pa.int32(), "1", "resamples in which the score is undefined"),
        column("better", pa.bool_(), "1", "of the difference: whether tuned is better and the interval excludes 0"),
        column("rows", pa.int64(), "1", "rows of the fold"),
        column("groups", pa.int32(), "1", "groups that were drawn as a whole, such as plants"),
        column("fold", pa.int16(), "1", "fold that was judged"),
        DATA_TIER,
    ]
)
