"""What the plume paper published of its plants, as data: for a group of columns of its own, never a row beside ours.

Source: plume paper (the preprint of Remote Sens. 2024, 16(7), 1290), tables 2 to 8, A2 and A3. It was measured on other
data, and is a reference, not a target (SCIENCE 0.3). A score is (value, p05, p95), its 90 % interval; NaN was not
printed. Regions and approaches are the paper's words, imagers are keys of `vocab.sensors.IMAGERS`.
"""

from collections.abc import Mapping
from types import MappingProxyType

from carbonray.vocab.plants import FGD, NDT

Triple = tuple[float, float, float]

_NAN = float("nan")
CROSS, EXTERNAL = "cross", "external"

# table 2: approach -> % of the power sector's emissions, observations, plants, countries, first and last year
PAPER_COVERAGE: Mapping[str, tuple[float, int, int, int, int, int]] = MappingProxyType(
    {
        "Climate TRACE ML, cross-validation": (7.0, 157_831, 139, 12, 2015, 2022),
        "Climate TRACE ML, external validation (generation)": (2.0, 107_440, 101, 16, 2018, 2022),
        "Climate TRACE ML, external validation (CO2)": (7.0, 162_588, 207, 17, 2019, 2022),
        "Climate TRACE ML, all inference": (32.0, 1_198_167, 1_042, 41, 2015, 2022),
        "Jain": (_NAN, 2_131, 146, 18, 2019, 2021),
        "Hanna et al.": (_NAN, 1_639, 146, 11, 2020, 2020),
        "Lin et al.": (_NAN, 50, 22, 1, 2018, 2021),
        "Cusworth et al.": (_NAN, 28, 21, 4, 2014, 2020),
        "Nassar et al.": (_NAN, 20, 14, 6, 2014, 2018),
    }
)

# tables 3, 4, A2, A3: (validation, structure kind, imager, model) -> mAP, RMSE, MBE
PAPER_SOUNDINGS: Mapping[tuple[str, str, str, str], tuple[Triple, Triple, Triple]] = MappingProxyType(
    {
        (CROSS, NDT, "planetscope", "xgb"): ((0.956, 0.932, 0.987), (0.209, 0.194, 0.221), (-0.021, -0.034, -0.006)),
        (CROSS, NDT, "planetscope", "resisc"): ((0.93, 0.901, 0.963), (0.196, 0.186, 0.206), (-0.024, -0.037, -0.01)),
        (CROSS, NDT, "sentinel2", "xgb"): ((0.932, 0.904, 0.98), (0.21, 0.198, 0.22), (-0.02, -0.034, -0.006)),
        (CROSS, NDT, "sentinel2", "resisc"): ((0.959, 0.941, 0.974), (0.203, 0.192, 0.213), (-0.019, -0.034, -0.004)),
        (CROSS, NDT, "sentinel2", "ben"): ((0.933, 0.906, 0.966), (0.22, 0.206, 0.233), (-0.025, -0.041, -0.008)),
        (CROSS, NDT, "landsat8", "xgb"): ((0.899, 0.866, 0.942), (0.243, 0.22, 0.26), (-0.011, -0.032, 0.013)),
        (CROSS, NDT, "landsat8", "resisc"): ((0.901, 0.866, 0.942), (0.266, 0.249, 0.28), (-0.089, -0.11, -0.068)),
        (CROSS, NDT, "landsat8", "ben"): ((0.865, 0.826, 0.899), (0.264, 0.247, 0.278), (-0.031, -0.054, -0.006)),
        (CROSS, FGD, "planetscope", "xgb"): ((0.886, 0.857, 0.911), (0.297, 0.285, 0.308), (-0.056, -0.076, -0.037)),
        (CROSS, FGD, "planetscope", "resisc"): ((0.885, 0.861, 0.916), (0.263, 0.244, 0.277), (-0.065, -0.084, -0.045)),
        (CROSS, FGD, "sentinel2", "xgb"): ((0.889, 0.858, 0.917), (0.27, 0.258, 0.281), (-0.029, -0.049, -0.011)),
        (CROSS, FGD, "sentinel2", "resisc"): ((0.903, 0.88, 0.925), (0.267, 0.248, 0.282), (-0.048, -0.066, -0.029)),
        (CROSS, FGD, "sentinel2", "ben"): ((0.839, 0.801, 0.873), (0.259, 0.246, 0.269), (0.005, -0.014, 0.025)),
        (CROSS, FGD, "landsat8", "xgb"): ((0.878, 0.855, 0.904), (0.285, 0.271, 0.298), (-0.063, -0.085, -0.042)),
        (CROSS, FGD, "landsat8", "resisc"): ((0.824, 0.793, 0.854), (0.299, 0.289, 0.309), (-0.036, -0.054, -0.015)),
        (CROSS, FGD, "landsat8", "ben"): ((0.811, 0.784, 0.837), (0.301, 0.288, 0.313), (0.025, 0.002, 0.05)),
        (EXTERNAL, NDT, "planetscope", "xgb"): ((0.779, 0.733, 0.837), (0.221, 0.206, 0.233), (0.004, -0.017, 0.028)),
        (EXTERNAL, NDT, "planetscope", "resisc"): (
            (0.782, 0.721, 0.851),
            (0.215, 0.198, 0.231),
            (-0.009, -0.034, 0.02),
        ),
        (EXTERNAL, NDT, "sentinel2", "xgb"): ((0.749, 0.708, 0.802), (0.24, 0.223, 0.255), (-0.008, -0.037, 0.024)),
        (EXTERNAL, NDT, "sentinel2", "resisc"): ((0.752, 0.713, 0.808), (0.231, 0.21, 0.25), (-0.04, -0.068, -0.008)),
        (EXTERNAL, NDT, "sentinel2", "ben"): ((0.738, 0.704, 0.795), (0.232, 0.214, 0.248), (-0.014, -0.041, 0.018)),
        (EXTERNAL, NDT, "landsat8", "xgb"): ((0.73, 0.689, 0.803), (0.257, 0.23, 0.278), (0.033, 0.0, 0.066)),
        (EXTERNAL, NDT, "landsat8", "resisc"): ((0.717, 0.669, 0.772), (0.271, 0.244, 0.294), (-0.017, -0.053, 0.019)),
        (EXTERNAL, NDT, "landsat8", "ben"): ((0.721, 0.683, 0.791), (0.272, 0.243, 0.295), (-0.003, -0.039, 0.039)),
        (EXTERNAL, FGD, "planetscope", "xgb"): ((0.664, 0.531, 0.909), (0.487, 0.463, 0.504), (-0.373, -0.416, -0.323)),
        (EXTERNAL, FGD, "planetscope", "resisc"): (
            (0.778, 0.623, 0.943),
            (0.394, 0.392, 0.395),
            (-0.299, -0.303, -0.295),
        ),
        (EXTERNAL, FGD, "sentinel2", "xgb"): ((0.615, 0.519, 0.766), (0.455, 0.411, 0.492), (-0.35, -0.407, -0.277)),
        (EXTERNAL, FGD, "sentinel2", "resisc"): ((0.604, 0.523, 0.871), (0.461, 0.416, 0.5), (-0.356, -0.41, -0.292)),
        (EXTERNAL, FGD, "sentinel2", "ben"): ((0.682, 0.529, 0.94), (0.474, 0.444, 0.496), (-0.39, -0.419, -0.346)),
        (EXTERNAL, FGD, "landsat8", "xgb"): ((0.586, 0.517, 0.765), (0.519, 0.444, 0.584), (-0.406, -0.516, -0.296)),
        (EXTERNAL, FGD, "landsat8", "resisc"): ((0.55, 0.517, 0.714), (0.509, 0.479, 0.543), (-0.4, -0.477, -0.329)),
        (EXTERNAL, FGD, "landsat8", "ben"): ((0.569, 0.568, 0.829), (0.43, 0.408, 0.447), (-0.318, -0.372, -0.26)),
    }
)

# table 5: (validation, structure kind) -> plants, RMSE, the mean's RMSE, MBE, the mean's MBE
PAPER_GENERATION: Mapping[tuple[str, str], tuple[int, Triple, float, Triple, float]] = MappingProxyType(
    {
        (CROSS, NDT): (73, (0.149, 0.129, 0.162), 0.272, (-0.014, -0.028, 0.002), 0.0),
        (EXTERNAL, NDT): (104, (0.199, 0.188, 0.21), 0.273, (-0.075, -0.091, -0.058), 0.048),
        (CROSS, FGD): (97, (0.196, 0.187, 0.205), 0.27, (0.012, -0.007, 0.031), 0.0),
        (EXTERNAL, FGD): (4, (0.323, 0.216, 0.384), 0.359, (-0.252, -0.33, -0.127), -0.272),
    }
)

# tables 6 to 8: (quantity, region, validation) -> plants, RMSE, baseline's RMSE, MBE, baseline's MBE; the baseline is
# the country's mean of the fuel; the upper end of the bias of US generation is printed as 2.90, which cannot be
PAPER_ANNUAL: Mapping[tuple[str, str, str], tuple[int, Triple, float, Triple, float]] = MappingProxyType(
    {
        ("capacity_factor", "US", CROSS): (78, (0.17, 0.16, 0.18), 0.22, (-0.02, -0.05, 0.0), -0.05),
        ("capacity_factor", "US", EXTERNAL): (6, (0.14, 0.12, 0.17), 0.19, (0.03, -0.06, 0.12), 0.04),
        ("capacity_factor", "Europe", CROSS): (59, (0.12, 0.11, 0.13), 0.2, (0.04, 0.02, 0.06), 0.05),
        ("capacity_factor", "Europe", EXTERNAL): (27, (0.14, 0.12, 0.16), 0.18, (0.02, -0.01, 0.05), 0.1),
        ("capacity_factor", "Australia", CROSS): (7, (0.2, 0.08, 0.26), 0.18, (-0.12, -0.2, -0.04), -0.1),
        ("capacity_factor", "Australia", EXTERNAL): (1, (0.09, _NAN, _NAN), 0.09, (-0.01, _NAN, _NAN), 0.04),
        ("capacity_factor", "India", EXTERNAL): (50, (0.14, 0.13, 0.15), 0.2, (-0.03, -0.05, -0.01), 0.08),
        ("capacity_factor", "Türkiye", EXTERNAL): (8, (0.24, 0.21, 0.26), 0.32, (0.0, -0.12, 0.1), 0.13),
        ("generation_twh", "US", CROSS): (78, (1.68, 1.51, 1.84), 2.99, (0.06, -0.16, _NAN), -0.65),
        ("generation_twh", "US", EXTERNAL): (6, (2.92, 0.68, 3.92), 3.9, (-0.66, -2.17, 0.88), 0.31),
        ("generation_twh", "Europe", CROSS): (59, (1.38, 1.09, 1.58), 2.43, (0.35, 0.15, 0.53), -0.16),
        ("generation_twh", "Europe", EXTERNAL): (27, (1.39, 1.09, 1.61), 1.27, (-0.55, -0.82, -0.28), 0.65),
        ("generation_twh", "Australia", CROSS): (7, (2.05, 0.91, 2.6), 2.19, (-1.46, -2.08, -0.63), -1.33),
        ("generation_twh", "Australia", EXTERNAL): (1, (1.12, _NAN, _NAN), 0.94, (-0.49, _NAN, _NAN), 0.37),
        ("generation_twh", "India", EXTERNAL): (50, (2.12, 1.78, 2.37), 2.58, (-1.38, -1.63, -1.12), 0.98),
        ("generation_twh", "Türkiye", EXTERNAL): (8, (2.08, 1.31, 2.57), 2.8, (-0.94, -1.91, 0.01), 0.97),
        ("emissions_mt_co2", "US", CROSS): (77, (2.11, 1.73, 2.36), 2.68, (0.37, 0.08, 0.67), -1.13),
        ("emissions_mt_co2", "US", EXTERNAL): (5, (1.12, 0.37, 1.43), 2.25, (-0.61, -1.08, -0.1), -0.56),
        ("emissions_mt_co2", "EU", CROSS): (58, (2.27, 1.7, 2.68), 3.04, (0.57, 0.19, 0.97), -0.18),
        ("emissions_mt_co2", "EU", EXTERNAL): (36, (1.0, 0.76, 1.16), 1.05, (-0.41, -0.58, -0.23), 0.25),
        ("emissions_mt_co2", "Australia", CROSS): (6, (4.37, 2.42, 5.67), 3.7, (-2.69, -4.49, -0.73), -2.01),
        ("emissions_mt_co2", "Australia", EXTERNAL): (1, (3.49, _NAN, _NAN), 2.62, (-3.39, _NAN, _NAN), -2.41),
        ("emissions_mt_co2", "India", EXTERNAL): (24, (1.72, 1.49, 1.92), 2.65, (-0.81, -1.15, -0.49), 1.63),
    }
)
