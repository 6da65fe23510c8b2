"""Small files as the providers deliver them: a Landsat scene, a SAFE folder, a PSScene, a chip, and items of them.

Every band holds integers that tell where they are: `pattern(band, rows, cols)`.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.transform import from_origin

from carbonray.io.imagery.image import RegionGrid, Structure
from carbonray.io.imagery.region import RegionRules, region_grid
from carbonray.vocab.sensors import IMAGERS

PLANT = (Structure("t1", "NDT", 51.43, 6.99), Structure("s1", "FGD", 51.432, 6.993))
SMALL = RegionRules(margin_px=6)


def grid_of(imager: str, structures: tuple[Structure, ...] = PLANT) -> RegionGrid:
    return region_grid(structures, IMAGERS[imager], SMALL)


def pattern(band: int, rows: int, cols: int) -> NDArray[np.uint16]:
    return (1000 * (band + 1) + np.arange(rows * cols).reshape(rows, cols) % 900).astype(np.uint16)


def write_tif(path: Path, values: NDArray[Any], grid: RegionGrid, pixel: float, **options: Any) -> Path:
    """(band, y, x) values from the grid's corner on; `left`, `top`, `epsg`, `south_up` move them elsewhere."""
    left, top = options.pop("left", grid.left), options.pop("top", grid.top)
    transform = from_origin(left, top, pixel, pixel)
    if options.pop("south_up", False):
        values = values[:, ::-1]
        transform = rasterio.Affine(pixel, 0, left, 0, pixel, top - pixel * values.shape[1])
    profile = {
        "driver": "GTiff",
        "count": values.shape[0],
        "height": values.shape[1],
        "width": values.shape[2],
        "dtype": values.dtype,
        "crs": f"EPSG:{options.pop('epsg', grid.epsg)}",
        "transform": transform,
        **options,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(path, "w", **profile) as file:
        file.write(values)
    return path


def landsat_mtl(collection: str = "02", elevation: float = 30.0) -> dict[str, dict[str, Any]]:
    product = {
        "LANDSAT_PRODUCT_ID": "LC08_L1TP_197024_20190630_20200827_02_T1",
        "COLLECTION_NUMBER": collection,
        "SPACECRAFT_ID": "LANDSAT_8",
        "DATE_ACQUIRED": "2019-06-30",
        "SCENE_CENTER_TIME": "10:22:33.1234560Z",
        "DATE_PRODUCT_GENERATED": "2020-08-27T01:02:03Z",
    }
    for corner, lon, lat in (("UL", 6.5, 51.8), ("UR", 7.5, 51.8), ("LR", 7.5, 51.0), ("LL", 6.5, 51.0)):
        product |= {f"CORNER_{corner}_LON_PRODUCT": lon, f"CORNER_{corner}_LAT_PRODUCT": lat}
    if not collection:
        product.pop("COLLECTION_NUMBER")
    numbers = {f"RADIANCE_MULT_BAND_{band}": 3.342e-4 for band in range(1, 12)}
    numbers |= {f"RADIANCE_ADD_BAND_{band}": 0.1 for band in range(1, 12)}
    numbers |= {f"REFLECTANCE_MULT_BAND_{band}": 2e-5 for band in range(1, 10)}
    numbers |= {f"REFLECTANCE_ADD_BAND_{band}": -0.1 for band in range(1, 10)}
    constants = {"K1": (774.8853, 480.8883), "K2": (1321.0789, 1201.1442)}
    return {
        "PRODUCT_CONTENTS": product,
        "LEVEL2_SURFACE_REFLECTANCE_PARAMETERS": {"REFLECTANCE_MULT_BAND_1": 2.75e-5},
        "IMAGE_ATTRIBUTES": {"SUN_ELEVATION": elevation, "SUN_AZIMUTH": 150.5},
        "LEVEL1_RADIOMETRIC_RESCALING": numbers,
        "LEVEL1_THERMAL_CONSTANTS": {
            f"{name}_CONSTANT_BAND_{band}": pair[band - 10] for name, pair in constants.items() for band in (10, 11)
        },
    }


def odl(groups: dict[str, dict[str, Any]]) -> str:
    lines = ["GROUP = LANDSAT_METADATA_FILE"]
    for name, group in groups.items():
        quoted = [
            f'    {key} = "{value}"' if isinstance(value, str) else f"    {key} = {value}"
            for key, value in group.items()
        ]
        lines += [f"  GROUP = {name}", *quoted, f"  END_GROUP = {name}"]
    return "\n".join([*lines, "END_GROUP = LANDSAT_METADATA_FILE", "END", ""])


def write_landsat(
    folder: Path,
    grid: RegionGrid,
    *,
    collection: str = "02",
    mask: NDArray[np.uint16] | None = None,
    as_json: bool = False,
) -> Path:
    """A scene that begins at the region's corner and is two pixels larger; the panchromatic band half a pixel west."""
    rows, cols, groups = grid.rows + 2, grid.cols + 2, landsat_mtl(collection)
    stem = folder / groups["PRODUCT_CONTENTS"]["LANDSAT_PRODUCT_ID"]
    for place, band in enumerate(IMAGERS["landsat8"].bands):
        path = Path(f"{stem}_{band.name}.TIF")
        if band.name == "B8":
            fine = pattern(place, 2 * rows + 1, 2 * cols + 1)[None]
            write_tif(path, fine, grid, 15.0, left=grid.left - 7.5, top=grid.top + 7.5)
        else:
            write_tif(path, pattern(place, rows, cols)[None], grid, 30.0)
    quality = np.full((rows, cols), 21824, np.uint16) if mask is None else mask
    write_tif(Path(f"{stem}_{'QA_PIXEL' if collection == '02' else 'BQA'}.TIF"), quality[None], grid, 30.0)
    path = Path(f"{stem}_MTL.{'json' if as_json else 'txt'}")
    path.write_text(json.dumps({"LANDSAT_METADATA_FILE": groups}) if as_json else odl(groups))
    return path


def product_xml(offsets: dict[int, int] | None, baseline: str) -> str:
    listed = "".join(
        f'<RADIO_ADD_OFFSET band_id="{band}">{value}</RADIO_ADD_OFFSET>' for band, value in (offsets or {}).items()
    )
    return f"""<?xml version="1.0"?><n1:Level-1C_User_Product xmlns:n1="https://psd-14.sentinel2.eo.esa.int/PSD">
<n1:General_Info><PRODUCT_START_TIME>2022-06-30T10:30:31.024Z</PRODUCT_START_TIME>
<PRODUCT_URI>S2A_MSIL1C_20220630T103031_N{baseline.replace(".", "")}_R108_T32ULB_20220630T141224.SAFE</PRODUCT_URI>
<PROCESSING_BASELINE>{baseline}</PROCESSING_BASELINE><GENERATION_TIME>2022-06-30T14:12:24.0Z</GENERATION_TIME>
<QUANTIFICATION_VALUE unit="none">10000</QUANTIFICATION_VALUE>{listed}
<EXT_POS_LIST>51.8 6.5 51.8 7.5 51.0 7.5 51.0 6.5 51.8 6.5 </EXT_POS_LIST>
</n1:General_Info></n1:Level-1C_User_Product>"""


TILE_XML = """<?xml version="1.0"?><n1:Level-1C_Tile_ID xmlns:n1="x"><Tile_Angles><Mean_Sun_Angle>
<ZENITH_ANGLE unit="deg">31.5</ZENITH_ANGLE><AZIMUTH_ANGLE unit="deg">150.25</AZIMUTH_ANGLE></Mean_Sun_Angle>
<Mean_Viewing_Incidence_Angle_List><ZENITH_ANGLE unit="deg">3.0</ZENITH_ANGLE></Mean_Viewing_Incidence_Angle_List>
</Tile_Angles></n1:Level-1C_Tile_ID>"""


def write_safe(folder: Path, grid: RegionGrid, *, offsets: dict[int, int] | None, baseline: str = "04.00") -> Path:
    """A SAFE folder whose bands begin at the region's corner, moved to the lattice of 60 m that all bands share."""
    safe = folder / "S2A_MSIL1C_20220630T103031.SAFE"
    granule = safe / "GRANULE" / "L1C_T32ULB_A036668"
    left, top = np.floor(grid.left / 60) * 60, np.ceil(grid.top / 60) * 60
    coarse = (
        int(np.ceil((top - grid.top) / 60 + grid.rows / 6)) + 1,
        int(np.ceil((grid.left - left) / 60 + grid.cols / 6)) + 1,
    )
    lossless = {"driver": "JP2OpenJPEG", "QUALITY": "100", "REVERSIBLE": "YES", "left": left, "top": top}
    for place, band in enumerate(IMAGERS["sentinel2"].bands):
        each = int(60 / band.pixel_m)
        values = pattern(place, coarse[0] * each, coarse[1] * each)[None]
        name = f"T32ULB_20220630T103031_B{band.name[1:].zfill(2)}.jp2"
        write_tif(granule / "IMG_DATA" / name, values, grid, band.pixel_m, **lossless)
    classes = np.zeros((3, *coarse), np.uint8)
    classes[0, :2] = 1
    write_tif(granule / "QI_DATA" / "MSK_CLASSI_B00.jp2", classes, grid, 60.0, **lossless)
    (granule / "MTD_TL.xml").write_text(TILE_XML)
    (safe / "MTD_MSIL1C.xml").write_text(product_xml(offsets, baseline))
    return safe


def scene_xml(bands: int) -> str:
    rows = "".join(
        f"<ps:bandSpecificMetadata><ps:bandNumber>{band}</ps:bandNumber><ps:radiometricScaleFactor>0.01"
        f"</ps:radiometricScaleFactor><ps:reflectanceCoefficient>{band}e-5</ps:reflectanceCoefficient>"
        "</ps:bandSpecificMetadata>"
        for band in range(1, bands + 1)
    )
    corners = "".join(
        f"<ps:{name}><ps:latitude>{lat}</ps:latitude><ps:longitude>{lon}</ps:longitude></ps:{name}>"
        for name, lat, lon in (
            ("topLeft", 51.5, 6.9), ("topRight", 51.5, 7.1), ("bottomRight", 51.4, 7.1), ("bottomLeft", 51.4, 6.9),
        )
    )  # fmt: skip
    return f"""<?xml version="1.0"?><ps:EarthObservation xmlns:ps="http://schemas.planet.com/ps/v1/planet_product_metadata_geocorrected_level"
xmlns:opt="http://earth.esa.int/opt"><opt:illuminationElevationAngle uom="deg">41.5</opt:illuminationElevationAngle>
<opt:illuminationAzimuthAngle uom="deg">120.0</opt:illuminationAzimuthAngle>
<ps:geographicLocation>{corners}</ps:geographicLocation>
<ps:acquisitionDateTime>2021-03-04T09:50:01.5+00:00</ps:acquisitionDateTime>{rows}</ps:EarthObservation>"""


def write_psscene(folder: Path, grid: RegionGrid, *, bands: int, udm2: NDArray[np.uint8] | None = None) -> Path:
    """A scene of four or eight bands with its XML, its JSON and, where given, UDM2."""
    stem, eight = folder / "20210304_095001_50_2401", "_8b" if bands == 8 else ""
    values = np.stack([pattern(place, grid.rows, grid.cols) for place in range(bands)])
    write_tif(Path(f"{stem}_3B_AnalyticMS{eight}.tif"), values, grid, 3.0, nodata=0)
    if udm2 is not None:
        write_tif(Path(f"{stem}_3B_udm2.tif"), udm2, grid, 3.0)
    Path(f"{stem}_3B_AnalyticMS{eight}_metadata.xml").write_text(scene_xml(bands))
    ring = [[6.9, 51.4], [7.1, 51.4], [7.1, 51.5], [6.9, 51.5], [6.9, 51.4]]
    told = {
        "acquired": "2021-03-04T09:50:01.5Z",
        "sun_elevation": 41.5,
        "sun_azimuth": 120.0,
        "published": "2021-03-04T15:00:00Z",
    }
    scene = {
        "id": stem.name,
        "type": "Feature",
        "properties": told,
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }
    path = Path(f"{stem}_metadata.json")
    path.write_text(json.dumps(scene))
    return path


def chip_item(path: Path, bands: list[dict[str, Any]], **properties: Any) -> dict[str, Any]:
    """A STAC item of one multi-band file."""
    described = {"href": path.as_posix(), "eo:bands": bands, "raster:bands": bands}
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": path.stem,
        "geometry": None,
        "properties": {"datetime": "2020-05-06T10:11:12Z", **properties},
        "links": [],
        "assets": {"chip": described},
    }


def write_item(path: Path, item: dict[str, Any]) -> str:
    path.write_text(json.dumps(item))
    return path.as_posix()
