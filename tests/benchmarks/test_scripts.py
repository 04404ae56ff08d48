"""Every script of this folder runs, in a form short enough for CI, and prints the figures that it is for."""

import json
import re
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.benchmarks import bench_report
from tests.support import browser
from tests.support.postgres import missing

FASHION_MNIST = pytest.mark.skipif(
    not Path("/usr/share/datasets/fashion-mnist").is_dir(), reason="the files of Fashion-MNIST are not installed"
)
FEW = ("data.train_size=300", "trainer.epochs=1", "data.batch_size=50", "data.valid_fraction=0.02")
TABLE = """[{"config": {"lr": 0.1, "decay": 1e-4}, "valid_loss": [2.0, 1.0, 0.5]},
            {"config": {"lr": 0.01, "decay": 1e-3}, "valid_loss": [2.0, 1.5, 1.2]},
            {"config": {"lr": 1.0, "decay": 1e-5}, "valid_loss": [2.0, null, null]}]"""

SHORT = {
    "bench_driver": (["--trials", "12", "--reports", "2", "--part", "random"], [r"trials_per_sec", r"wanted"], ()),
    "bench_deterministic": (
        ["--pairs", "1", "--models", "mlp", "--", "data.train_size=100", "trainer.epochs=1"],
        [r"\| mlp \| \d\.\d{3} \|"],
        (),
    ),
    "bench_endurance": (["--part", "growth", "--growth-trials", "40"], [r'"driver_kib_by_trial": '], ()),
    "bench_fused": (
        [
            "--models",
            "mlp",
            "--widths",
            "2",
            "--seconds",
            "0.01",
            "--processes",
            "0",
            "--refill",
            "3",
            "--",
            "data.train_size=130",
        ],
        [r"\| mlp \| alone \| \d", r"\| mlp \| 2 together \| \d", r"auto: [12] ", r"LeNets, slots filled again: \d"],
        (),
    ),
    "bench_main_job": (["--runs", "1", "--only", "trial", "--base", "none"], [r'"end_sec": \d', r'"runs": 1'], ()),
    "bench_overhead": (
        ["--pairs", "1", "--part", "lenet", "--", "data=digits", "model=mlp"],
        [r'"least_and_largest_ratio"', r'"start_sec": \d'],
        (),
    ),
    "bench_program": (["--runs", "1", "--seconds", "0"], [r'"over_sec": '], ()),
    "bench_ray": (
        ["--quick", "--part", "sleep"],
        [r"\| sleep \| ray \| start_sec \d", r"throughput of Ray over processes, sleep: \d\.\d"],
        [pytest.mark.ray, pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed")],
    ),
    "bench_report": (
        ["--points", "20", "--epochs", "2", "--opens", "1"],
        [r'"trials": 20', r'"load_sec": \d'],
        browser.NEEDED,
    ),
    "bench_scale": (
        ["--workers", "20", "--case", "auto", "--points", "40", "--warm", "1", "--window", "60", "--no-tracker"],
        [r"\| auto \| 20 \| 0\.\d \|", r"\| share of the time, % \|.* sampler \|"],
        (),
    ),
    "bench_search": (["FOLDER", "--repeats", "2", "--only", "random"], [r"\| small \| random \| \d+"], ()),
    "bench_postgres": (
        ["faults", "--points", "16"],
        [r'"trials": 16, "states": {"COMPLETE": 16}', r'"reports": 1'],
        [pytest.mark.postgres, pytest.mark.long, pytest.mark.skipif(bool(missing()), reason=missing())],
    ),
    "bench_postgres_cost": (
        ["--workers", "20", "--every", "1", "--seconds", "1"],
        [r'"workers": 20, "reports_per_sec": \d', r'"wal_bytes_per_report": [1-9]'],
        [pytest.mark.postgres, pytest.mark.skipif(bool(missing()), reason=missing())],
    ),
    "bench_sending": (["--pairs", "1", "--points", "1"], [r"\nrows .* sending \d", r"\nclient .* sending \d"], ()),
    "bench_small_spaces": (
        ["--seeds", "1", "--points", "12", "--only", "tpe"],
        [r"\| smooth, 96 cells \| [01] \(\d+\.0\) \| [01] \("],
        (),
    ),
    "bench_watch": (["--pairs", "1", "--only", "MLP on digits, 20 epochs"], [r'"ratio": \d'], ()),
    "check_claims": (["1"], [r"claim 5, wrong: exponent 0.5, .* [01]\.\d{3}", r"claim 7, right: .* [01]\.\d{3}"], ()),
    "check_diagnosis": (["--repeats", "1", "--wrong"], [r"\| overfitting \|"], ()),
    "check_fashion_mlp": (["--seeds", "2", *FEW], [r"test accuracy 0\.\d{4}, sd 0\.\d{4}, n 2"], [FASHION_MNIST]),
    "check_fused": (
        ["--seeds", "2", "data.train_size=130", "trainer.epochs=1"],
        [r"20 steps at 0\.1: \d\.\de-0[789]", r"fused: mean 0\.\d{5}, sd 0\.\d{5}, n 2", r"standard errors"],
        [FASHION_MNIST],
    ),
    "check_lr_range": (
        ["--only", "mlp/sgd", "--train-size", "200", "--epochs", "1", "--seeds", "1"],
        [r"\| mlp/sgd \| (pass|warn|refused)"],
        [FASHION_MNIST],
    ),
    "check_replay": (
        ["--trials", "2", "--batch", "2", "--kinds", "alone", "killed"],
        [r"\| killed \| 1 \| 1 \|", r"\| all \| 2 \| 2 \|"],
        (),
    ),
    "check_sentences": (["1", "--only", "two arms"], [r"\| best mean \| 1 \| 1 \|"], ()),
    "check_statistics": (["20"], [r"coverage of the t interval, n = 3 +[01]\.\d{3}", r"Kaplan-Meier.* 7\.000"], ()),
    "check_tuning": (["5"], [r"on average +0\.\d{4} +0\.\d{4} +0\.\d{4} +0\.\d{4}"], ()),
    "fashion_mnist_zoo": (["--list"], [r"python -m hpsearch .*model=resnet18"], ()),
    "finetune_fashion": (
        ["--seeds", "2", *FEW],
        [r"all - none: [+-]0\.\d{4}, sd"],
        [FASHION_MNIST, pytest.mark.long],
    ),
    "lenet_table": (
        ["--out", "table.json.gz", "--rows", "1", "--epochs", "1", "data.train_size=300"],
        [r"row 0: .*'valid_loss': \[2\.\d+, \d"],
        [FASHION_MNIST],
    ),
}
LONG = {"bench_recipe", "check_recipe"}
"""Whole recipes: `tests/integration/test_recipe.py` runs one; here only their words are looked at."""

FOLDER = Path(__file__).parent
SCRIPTS = sorted(path.stem for path in FOLDER.glob("*.py") if path.read_text().rstrip().endswith("main())"))


def test_every_script_has_a_short_form():
    assert set(SCRIPTS) == SHORT.keys() | LONG


@pytest.mark.parametrize("name", SCRIPTS)
def test_help_says_what_a_script_measures(name, capsys):
    with pytest.raises(SystemExit, match="0"):
        import_module(f"tests.benchmarks.{name}").main(["--help"])
    assert "--" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [pytest.param(name, marks=marks) for name, (_, _, marks) in SHORT.items()])
def test_its_short_form_prints_its_figures(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    tables = tmp_path / "tables"
    tables.mkdir()
    (tables / "small.json").write_text(TABLE)
    words, figures, _ = SHORT[name]
    code = import_module(f"tests.benchmarks.{name}").main([str(tables) if w == "FOLDER" else w for w in words])
    printed = capsys.readouterr().out
    assert code in (0, 1)  # 1: a limit is not held, which nothing this short can tell
    for figure in figures:
        assert re.search(figure, printed), printed


def test_the_command_report_is_timed_cold_and_warm(capsys):
    assert bench_report.main(["--command", "--points", "6", "--epochs", "2"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["trials"] == 6
    assert 0 < told["warm"]["cpu_sec"] < told["cold"]["cpu_sec"]
