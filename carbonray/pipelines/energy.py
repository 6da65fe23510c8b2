"""The energy product: emissions from the mix of energy and energy from that of sectors, every region, day and scenario.

Passes: `records`, `rows` and `sums` (`pipelines.energy_rows`), `answers` (a block of regions and a year a unit, all
scenarios), `tabulate` (one unit). Each is planned from what the ledger says of the pass before, so that a resumed run
plans the same units.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from carbonray.contract import Unit, encode_object_rows
from carbonray.engine.plan import Pass, Pool
from carbonray.engine.run import Run
from carbonray.io import ledger, objectstore
from carbonray.io.energy.scenarios import FACTUAL, Scenario
from carbonray.io.ledger import Commit, ObjectRecord
from carbonray.pipelines import energy_rows
from carbonray.pipelines.energy_pins import chosen_scenarios, energy_pins
from carbonray.pipelines.energy_report import energy_report
from carbonray.pipelines.energy_rows import EnergyRowStore, file_units, prepared_rows
from carbonray.pipelines.energy_tables import SUMS, EncodeAnswers, JoinSums, cleaner_names
from carbonray.pipelines.planning import records_of, unit_of, unit_over
from carbonray.publish.report import ReportFacts
from carbonray.settings import Settings
from carbonray.stages.energy_answers import AnswerEnergy, ReadAnswered, Told
from carbonray.stages.energy_bundles import EnergyPin

SUMMARY = "what regions emit by their mix of energy, what they use by their mix of sectors, and what if: a table a day"
SECTIONS = (*energy_rows.SECTIONS, "energy.predict")


def plan(settings: Settings, digest: str) -> tuple[Unit, ...]:
    """One unit a file; blocks of regions and years are known once files are read.

    Raises:
        SettingsError: energy or emissions are not given, or a scenario cannot be understood.
    """
    chosen_scenarios(settings)
    return file_units(settings, digest)


def run(run: Run, settings: Settings) -> None:
    """Executes the passes."""
    pins, scenarios = energy_pins(settings), chosen_scenarios(settings)
    store = prepared_rows(run, settings)
    run.facts["bundles"] = [
        {"model": pin.model, "instance": pin.instance, "held_out": pin.seen.turn, "sha256": pin.sha256} for pin in pins
    ]
    run.facts["scenarios"] = [FACTUAL, *(scenario.name for scenario in scenarios)]
    run.facts["cleaner"] = list(cleaner_names(scenarios, settings.energy.predict.factors_t_per_mwh))
    answered = run.execute(answers_pass(run, settings, store, pins, scenarios))
    run.execute(tabulate_pass(run, answered))
    run.facts["notes"], run.facts["refused"] = _notes(run), _refused(run)
    run.facts["left_out"] = dict(sorted(store.sums.items()))
    run.facts["summary"] = _summary(run, store, answered)


def report(run: Run, settings: Settings) -> ReportFacts:
    """What the page is made of."""
    return energy_report(run, settings)


def answers_pass(
    run: Run,
    settings: Settings,
    store: EnergyRowStore,
    pins: tuple[EnergyPin, ...],
    scenarios: tuple[Scenario, ...],
) -> Pass:
    """Blocks of rows through the pool of networks, every scenario."""
    engine, predict = settings.engine, settings.energy.predict
    asked = objectstore.sha256(repr(scenarios).encode())
    lost = objectstore.sha256(repr(sorted(store.sums.items())).encode())
    fixed = [*(pin.sha256 for pin in pins), asked, lost]
    units = []
    for shard in store.shards:
        record = {shard.url: ObjectRecord(shard.key, shard.sha256, shard.bytes)}
        unit = unit_of(run.settings_digest, "answers", shard.key, record, {"year": shard.year}, fixed)
        units.append(replace(unit, expected_rows=shard.rows * (1 + len(scenarios))))
    version = objectstore.sha256("\n".join(pin.sha256 for pin in pins).encode())
    told = Told(version, ", ".join(sorted({pin.tier for pin in pins})))
    make = partial(AnswerEnergy, pins, predict, scenarios, told)
    # one unit an actor: networks this small wait longer for a second thread than packing takes (`energy_stream`)
    pool = Pool(make, engine.model_actors, engine.model_cpus, engine.model_gpus)
    encoder = EncodeAnswers(cleaner_names(scenarios, predict.factors_t_per_mwh))
    return Pass("answers", tuple(units), ReadAnswered(store.sums), encoder, (pool,))


def tabulate_pass(run: Run, answered: Sequence[Commit]) -> Pass:
    """The sums of all blocks to one table, in one unit."""
    unit = unit_over(run, "tabulate", "energy", records_of(answered, f"{SUMS}/"), {})
    return Pass("tabulate", (unit,), JoinSums(), encode_object_rows, on_driver=True)


def _notes(run: Run) -> dict[str, int]:
    """What was odd about files and rows that are kept, or left out -> of how many."""
    notes: Counter[str] = Counter()
    for name in ("records", "rows", "sums"):
        for commit in ledger.read(run.url, name).values():
            notes.update(commit.facts.get("notes", {}))
    return dict(sorted(notes.items()))


def _refused(run: Run) -> dict[str, int]:
    """Rows of regions that nobody answers for, by what their reason begins with."""
    reasons: Counter[str] = Counter()
    for name in ("rows", "answers"):
        for commit in ledger.read(run.url, name).values():
            rules = {rule.partition(": ")[2]: n for rule, n in commit.rows.items() if rule.startswith("rejected: ")}
            for reason, count in (*rules.items(), *commit.quarantined.items()):
                reasons[reason.partition(":")[0]] += count
    return dict(sorted(reasons.items()))


def _summary(run: Run, store: EnergyRowStore, answered: Sequence[Commit]) -> Mapping[str, object]:
    def total(name: str) -> int:
        return sum(int(commit.facts.get(name, 0)) for commit in answered)

    return {
        "data tier": run.facts["data_tier"],
        "regions": len(store.regions),
        "scenarios": len(run.facts["scenarios"]) - 1,
        "rows": total("rows"),
        "with both answers": total("answered"),
        "extrapolating": total("extrapolating"),
        "instances": len(run.facts["bundles"]),
    }
