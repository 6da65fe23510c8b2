"""The page of the real images that went through the plants' jobs."""

from collections.abc import Iterator
from typing import Any

from carbonray.publish.markdown import number, table
from tests.evidence.real_places import PLACES

COMMAND = "python -m tests.evidence.real_soundings --data ../shared/data --out docs/evidence/real-soundings"
HEADS = {"cls": "on score", "reg": "capacity factor", "aux": "on score beside it"}

_WHY = {48: ", the default", 10: ": what the chips of 24 x 42 pixels hold whole"}

_HEAD = """# Real images through the plants' jobs

**Plumbing, no skill. No power plant stands in these images: every station, tower and stack below is fictional, placed
in real scenes, and the models were trained on a small SYNTHETIC fleet by the command itself. Nothing here is a finding
about any plant, and no score has a truth beside it.** What is shown is that real files go through `jobs.ingest` and
`jobs.plants` as a plant's would, and that each is scored or rejected by a named rule."""

_INPUTS = """The real images: a clip of a Landsat 8 level-1 scene (2015-08-04, cloudy), two Sentinel-2 level-1C chips
of 24 x 42 pixels without B8A, a chip of harmonised Landsat and Sentinel-2 (HLS) without date and cloud mask. They can
enter only through structures placed in them, and no weather of their days is at hand, so the weather rule on stacks
(FGD) has nothing to go by. HLS is no imager of the product: it is declared by the command, and no model knows it."""

_IDS = """The ids of the fictional stations go on from those of the synthetic fleet (`plants.earlier_url`), since a
trained product knows by id the plants that taught it, and lets one instance alone answer for each of them."""


def readme(results: dict[str, Any]) -> str:
    """The page."""
    parts = [_HEAD, f"    {COMMAND}", _INPUTS, _places(), _trained(results["trained"]), _IDS]
    for run in results["runs"]:
        parts += list(_run(run))
    return "\n\n".join([*parts, _files(results["inputs_sha256"])]) + "\n"


def _places() -> str:
    lines = [(place.name, f"{place.lat:g}", f"{place.lon:g}", place.why) for place in PLACES]
    heads = ("fictional station", "latitude", "longitude", "placed")
    return "\n".join(
        ["## Where they were placed", "", "A tower, and a stack 60 m north of it, each.", "", table(heads, lines)]
    )


def _trained(told: dict[str, Any]) -> str:
    return f"""## What scored them

{", ".join(told["models"])}.

Four instances each, first weights of networks {told["first weights"]}. Trained on {told["labelled images"]} labelled
images of {told["training plants"]} plants of a small synthetic fleet, tier {told["data tier"]} (digest of the run
`{told["sha256"][:16]}`): far too few to learn anything of the real world."""


def _run(run: dict[str, Any]) -> Iterator[str]:
    yield f"## Region of {run['margin_px']} pixels around the structures" + _WHY.get(run["margin_px"], "")
    yield "Rows of the job, all passes: " + ", ".join(f"{name} {count}" for name, count in run["rows"].items()) + "."
    low, high = run["interval"]
    yield f"""{run["plant_years"]} plant-years follow from so few images, {run["imputed"]:.0%} of what they are made of
imputed: the 90 % intervals of their capacity factors reach from {low:.2f} to {high:.2f} in the mean."""
    yield _images(run["images"])
    yield _scores(run["images"])


def _images(images: list[dict[str, Any]]) -> str:
    heads = ("station", "image", "kind", "largest patch measured", "quality bits", "outcome", "rule")
    lines = [
        (
            image["place"],
            image.get("image_id", f"({image['imager']})"),
            image.get("kind", "–"),
            number(image.get("measured")),
            ", ".join(image.get("quality", [])) or "–",
            image["outcome"],
            image["why"] or "–",
        )
        for image in images
    ]
    return table(heads, lines)


def _scores(images: list[dict[str, Any]]) -> str:
    lines = [
        (
            image["place"],
            image["image_id"],
            image["kind"],
            score["model"],
            HEADS[score["head"]],
            score["instances"],
            *(number(score[name]) for name in ("mean", "min", "max")),
        )
        for image in images
        for score in image.get("scores", [])
    ]
    if not lines:
        return "No image was scored."
    heads = ("station", "image", "kind", "model", "head", "instances", "mean", "least", "most")
    return "\n".join(["**Model trained on SYNTHETIC images, no truth here:**", "", table(heads, lines)])


def _files(hashes: dict[str, str]) -> str:
    lines = [(f"`{name}`", f"`{digest}`") for name, digest in hashes.items()]
    return "\n".join(["## Inputs", "", table(("file", "sha256"), lines)])
