"""The words of the evidence: what was run on what, and the tables, in Markdown."""

from collections.abc import Iterable
from typing import Any

from tests.evidence.matimba_fluxes import LIFETIME_S, MAPS, METHODS, NOX_OVER_NO2
from tests.evidence.matimba_targets import KNOWN_WITHIN_KM, TARGETS

COMMAND = "python -m tests.evidence.matimba --data ../shared/data --out docs/evidence/no2-matimba"
ON_RAY = (
    "python -m jobs.hotspots --out out --run-id matimba "
    "--set 'inputs.tropomi=../shared/data/tropomi/matimba/*S5P*.nc' "
    "--set 'inputs.weather=../shared/data/tropomi/matimba/*ERA5*.nc'"
)


def readme(results: dict[str, Any]) -> str:
    """What the folder holds, how it is made again, from which bytes, and the verdict."""
    bundles = [
        (
            f"`{name}`",
            b["model"],
            b["cut"],
            f"`{b['sha256']}`",
            b["scenes"],
            b["epochs"],
            b["seed"],
            f"`{b['command']}`",
        )
        for name, b in results["bundles"].items()
    ]
    head = ("bundle", "model", "cut", "sha256", "scenes", "epochs", "seed", "trained by")
    inputs = [(f"`{path}`", f"`{digest}`") for path, digest in results["inputs_sha256"].items()]
    return f"""# NO2 hotspots on a real TROPOMI granule: Matimba, 2021-07-25

The hotspots job on TROPOMI orbit 19594, cropped to 300 km around the power station Matimba (South Africa), with the
ERA5 wind between 100 m and 1000 m above ground. Data tier: REAL. Nothing was fitted to this granule: every cut is the
one stored in the bundle, chosen on simulated validation scenes.

{verdict(results)}

- `map.png`: what was measured and what the default bundle detected, numbered as in the table.
- `table.md`: every method, every detection, every emission estimate and every refusal.
- `results.json`: the same as data.

Made by

    {COMMAND}

in one process. On Ray the same bytes are committed: `sha256` in `out/matimba/verification.json` after

    {ON_RAY}

is `run_sha256` of the first run in `results.json`.

## Inputs

{_rows(("file", "sha256"), inputs)}

The data are Copernicus Sentinel-5P and Copernicus Climate Change Service information (ERA5), modified; the plants are
the Global Power Plant Database (WRI, CC BY 4.0).

## Bundles

{_rows(head, bundles)}

## How to read it

- Found (PASS) means: the strongest pixel of some detection lies within the limit, counted in degrees of latitude and
  longitude alike ({_limits()}). The distance of the nearest centre, weighted by intensity, stands beside it.
- Zero and reversed wind are controls, not products: a network that uses the wind should lose plumes that blow the
  wrong way. Whether it does is written down, not required.
- The ERA5 file ends at 25.2 S. Farther south its last row is carried on for up to 2 degrees, so the wind at the
  Highveld maximum, 1.07 degrees beyond, is an extrapolation.
- The inventory ends in 2018 and lists power stations only. Medupi, built since a few km from Matimba, is not in it, nor
  are refineries, smelters and cities: 'unknown' means that no listed plant is near, not that nothing emits there.
- Emissions are for the moment of the overpass, NOx as NO2, with a lifetime of {LIFETIME_S / 3600:g} h and
  NOx/NO2 = {NOX_OVER_NO2:g} throughout; the scatter given is that within the method, not that of wind or lifetime.
"""


def verdict(results: dict[str, Any]) -> str:
    """One line a bundle with the real wind: what it finds; then the plain thresholds beside it."""
    lines = []
    for run in results["runs"]:
        if run["wind"] == "ERA5":
            places = "; ".join(_found(name, at) for name, at in run["targets"].items())
            counts = f"{run['regions']} detections, {run['pixels']} pixels"
            lines.append(f"- **{run['method']}** at its cut {run['cut']:g}: {places}; {counts}.")
    counts = ", ".join(f"{row['cut']:g}: {row['regions']} and {row['pixels']}" for row in results["thresholds"])
    lines.append(
        f"- Plain column thresholds (umol m-2: regions and pixels): {counts}. Their maxima: {_maxima(results)}."
    )
    return "\n".join(lines)


def table(results: dict[str, Any]) -> str:
    """Every method beside the others, every detection, every emission."""
    parts = ["# Matimba, 2021-07-25: all numbers", _detection_table(results), _strength_table(results)]
    parts += [_list_of(run) for run in results["runs"] if run["wind"] == "ERA5"]
    parts += [_flux_table(name, results["fluxes"][name]) for name in results["fluxes"]]
    return "\n\n".join(parts) + "\n"


def _detection_table(results: dict[str, Any]) -> str:
    head = ["method", "wind", "cut", "detections", "pixels"]
    head += [f"{t.name}: {what}" for t in TARGETS for what in ("nearest peak", "nearest centre", f"≤ {t.limit_deg:g}°")]
    rows = []
    for run in (*results["runs"], *results["thresholds"]):
        row = [run["method"], run["wind"], f"{run['cut']:g}", run["regions"], run["pixels"]]
        for target in TARGETS:
            at = run["targets"][target.name]
            row += [_offset(at, "peak"), _offset(at, "centre"), "PASS" if at["found"] else "FAIL"]
        rows.append(row)
    return (
        "## Detections\n\n"
        "Connected regions at or above the cut. Networks judge pixels of complete tiles only, the threshold every "
        f"measured pixel ({results['measured_pixels']}).\n\n{_rows(head, rows)}"
    )


def _strength_table(results: dict[str, Any]) -> str:
    head = (
        "method",
        "wind",
        "cut",
        "target",
        "value at the target",
        "nearest judged pixel",
        "largest within the limit",
    )
    rows = []
    for run in results["runs"]:
        for name, at in run["targets"].items():
            best = at["largest_within_limit"]
            largest = "–" if best is None else f"{best:.3f} at {at['largest_deg']:.2f}°"
            value = f"{at['at_pixel']:.3f}"
            rows.append(
                (run["method"], run["wind"], f"{run['cut']:g}", name, value, f"{at['pixel_deg']:.2f}°", largest)
            )
    return f"## Relative emission at the targets\n\n{_rows(head, rows)}"


def _list_of(run: dict[str, Any]) -> str:
    head = ("no.", "strongest pixel", "centre", "pixels", "area km²", "relative emission", "known plants within 50 km")
    rows = [
        (
            found["number"],
            f"{found['peak_lat']:.3f}, {found['peak_lon']:.3f}",
            f"{found['lat']:.3f}, {found['lon']:.3f}",
            found["n_pixels"],
            f"{found['area_km2']:.0f}",
            f"{found['peak']:.3f}",
            found["known_within_50_km"],
        )
        for found in run["detections"]
    ]
    return (
        f"## Every detection of {run['method']}, ERA5 wind\n\n"
        f"Strongest first; plants that burn coal, gas, oil or petcoke (GPPD 2018), nearest named; farther than "
        f"{KNOWN_WITHIN_KM:g} km counts as unknown.\n\n{_rows(head, rows)}"
    )


def _flux_table(name: str, by_wind: dict[str, Any]) -> str:
    head = ["method", *(f"{wind} ({f['wind_u_m_s']:+.1f}, {f['wind_v_m_s']:+.1f}) m/s" for wind, f in by_wind.items())]
    rows = [
        [method, *(_emission(found["methods"][method]) for found in by_wind.values())] for method in (*METHODS, *MAPS)
    ]
    return f"## Emission at {name}, kg s⁻¹ NOx as NO2 (± scatter within the method)\n\n{_rows(head, rows)}"


def _emission(found: dict[str, Any]) -> str:
    if found["refused"]:
        return f"refused: {found['refused']}"
    scatter = "" if found["sd_kg_s"] is None else f" ± {found['sd_kg_s']:.2f}"
    return f"{found['q_kg_s']:.2f}{scatter} ({found['n_pixels']} px)"


def _offset(at: dict[str, Any], kind: str) -> str:
    if at[f"{kind}_deg"] is None:
        return "–"
    return f"{at[f'{kind}_deg']:.3f}° {at[f'{kind}_km']:.0f} km (no. {at[f'{kind}_number']})"


def _found(name: str, at: dict[str, Any]) -> str:
    if at["peak_deg"] is None:
        return f"{name} FAIL (nothing detected)"
    return f"{name} {'PASS' if at['found'] else 'FAIL'} ({at['peak_deg']:.3f}°, limit {at['limit_deg']:g}°)"


def _maxima(results: dict[str, Any]) -> str:
    """How near the thresholds' strongest pixels come to each target."""
    told = []
    for target in TARGETS:
        offsets = sorted({row["targets"][target.name]["peak_deg"] for row in results["thresholds"]})
        verdicts = {"PASS" if row["targets"][target.name]["found"] else "FAIL" for row in results["thresholds"]}
        told.append(f"{target.name} {' and '.join(sorted(verdicts))} ({', '.join(f'{o:.3f}°' for o in offsets)})")
    return "; ".join(told)


def _limits() -> str:
    return ", ".join(f"{t.name} {-t.lat:g} S {t.lon:g} E: {t.limit_deg:g}°" for t in TARGETS)


def _rows(head: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    titles = list(head)
    lines = [titles, ["---"] * len(titles), *([str(value) for value in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
