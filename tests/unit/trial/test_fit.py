import json

import pytest
import torch

from hpsearch.base.media import FIT_CURVE, FIT_TRAIN, FIT_VALID
from hpsearch.config.compose import compose
from hpsearch.trial.build import prepare
from hpsearch.trial.fit import save_fit

LINE = ("data=curve", "data.function=[3,2]", "data.noise=0.0", "loss=mse", "objective=valid_loss", "trainer.device=cpu")


def job(folder, *words):
    return prepare(compose((*LINE, "model=polynomial", "model.degree=1", *words)).trial({}, 0).config, "key", folder)


@pytest.mark.parametrize("scaling", ["standardize", "none"])
def test_points_and_curve_are_in_the_units_of_the_data(scaling, tmp_path):
    made = job(tmp_path, "data.scaling=none", f"data.target_scaling={scaling}")
    with torch.no_grad():  # the exact answer, in scaled targets of scaled terms
        x, y = made.splits.train.x, made.splits.train.y.reshape(-1)
        made.model.output.weight.fill_(float(y.std(correction=0)))
        made.model.output.bias.fill_(float(y.mean()))
    made.model.train()
    (path,) = save_fit(made, 7)
    assert path == "media/fit/7.json" and made.model.training
    traces = {each["name"]: each for each in json.loads((tmp_path / path).read_text())["data"]}
    assert len(traces[FIT_TRAIN]["x"]) == len(x) and len(traces[FIT_VALID]["x"]) == len(made.splits.valid)
    for name in (FIT_TRAIN, FIT_VALID, FIT_CURVE):
        assert traces[name]["y"] == pytest.approx([3 + 2 * value for value in traces[name]["x"]], abs=1e-4)
    assert traces[FIT_TRAIN]["x"] == pytest.approx(x[:, 0].tolist(), rel=1e-5)
    points = traces[FIT_TRAIN]["x"] + traces[FIT_VALID]["x"]
    assert (traces[FIT_CURVE]["x"][0], traces[FIT_CURVE]["x"][-1]) == pytest.approx((min(points), max(points)))


def test_of_other_data_and_of_averaged_weights_there_is_none(tmp_path):
    assert save_fit(job(tmp_path, "regularizer=ema"), 1) == ()
    other = prepare(compose(("data=diabetes", "model=linear", "loss=mse", "objective=valid_loss")).trial({}, 0).config)
    assert save_fit(other, 1) == ()
