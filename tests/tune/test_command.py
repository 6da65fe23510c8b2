"""The command line of a sweep refuses before it begins, in one line and with the exit code of settings."""

from pathlib import Path

import pytest

from tune import sweep


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--model", "nosuch"], "unknown model 'nosuch'"),
        (["--model", "sentinel2_xgb_ndt", "--out", "s3://bucket/runs"], "cannot grow in an object store"),
        (["--model", "sentinel2_xgb_ndt", "--set", "tune.targets=[of]"], "has no target 'of'"),
        (["--model", "sentinel2_xgb_ndt", "--set", "tune.space.depth=[3]"], "nothing called 'depth' is searched"),
        (["--model", "sentinel2_xgb_ndt", "--set", "tune.spaces.l1=[3]"], "unknown setting 'tune.spaces.l1'"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(
    flags: list[str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = [] if "--out" in flags else ["--out", str(tmp_path / "runs")]
    monkeypatch.setattr("sys.argv", ["sweep", "--trials", "2", "--study", "s", *out, *flags])
    with pytest.raises(SystemExit) as ended:
        sweep.main()

    assert ended.value.code == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()
