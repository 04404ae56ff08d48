"""Every model at every size of image that it holds. One row per option of conf/model; stems have rows of their own."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
import yaml

from hpsearch.base.errors import ConfigError
from hpsearch.config.build import build
from hpsearch.nn.init import Constant

CONF = Path(__file__).parents[3] / "conf" / "model"


class Case(NamedTuple):
    """A model, slim enough for a fast test.

    Attributes:
        option: of conf/model.
        changes: what differs from it.
        smallest: pixels on a side of the smallest image; 1 where there is no limit.
        outputs: number of classes.
    """

    option: str
    changes: dict[str, Any]
    smallest: int = 1
    outputs: int = 10


SLIM = {"ratio": 16, "hidden": [16]}
CASES = {
    "linear": Case("linear", {}),
    "polynomial": Case("polynomial", {}),
    "logistic": Case("logistic", {}, outputs=2),
    "softmax": Case("softmax", {}),
    "svm": Case("svm", {}),
    "svm, two classes": Case("svm", {}, outputs=2),
    "perceptron": Case("perceptron", {}),
    "mlp": Case("mlp", {"hidden": [16, 8], "norm": "batch", "dropout": [0.1, 0.2]}),
    "mlp_of_size": Case("mlp_of_size", {"depth": 3, "parameters": 40_000}),
    "lenet": Case("lenet", {}, 12),
    "lenet, 3x3": Case("lenet", {"kernel_size": 3}, 8),
    "lenet_original": Case("lenet_original", {}, 12),
    "alexnet": Case("alexnet", SLIM, 8),
    "alexnet, original": Case("alexnet", SLIM | {"stem": "original", "norm": "local_response"}, 63),
    "vgg11": Case("vgg11", SLIM, 8),
    "vgg11, instance": Case("vgg11", SLIM | {"norm": "instance"}, 16),
    "vgg11, original": Case("vgg11", SLIM | {"stem": "original"}, 32),
    "nin": Case("nin", {"ratio": 16}, 8),
    "nin, instance": Case("nin", {"ratio": 16, "norm": "instance"}, 16),
    "nin, original": Case("nin", {"ratio": 16, "stem": "original"}, 67),
    "small_conv": Case("small_conv", {"hidden": [16]}, 4),
    "small_conv_original": Case("small_conv_original", {"hidden": [16]}, 4),
    "googlenet": Case("googlenet", {"ratio": 16}, 5),
    "googlenet, original": Case("googlenet", {"ratio": 16, "stem": "original"}, 17),
    "resnet18": Case("resnet18", {"width": 8}, 5),
    "resnet18, original": Case("resnet18", {"width": 8, "stem": "original"}, 17),
    "densenet": Case("densenet", {"blocks": [2, 2], "growth_rate": 4}),
    "densenet, original": Case("densenet", {"blocks": [2, 2], "growth_rate": 4, "stem": "original"}),
    "elman": Case("elman", {"hidden": 8}),
    "jordan": Case("jordan", {"hidden": 8}),
    "lstm": Case("lstm", {"hidden": 8, "bidirectional": True}),
    "gru": Case("gru", {"hidden": 8, "layers": 2}),
    "vit": Case("vit", {"size": 16, "depth": 1}, 4),
    "spatial_transformer": Case("spatial_transformer", {}, 12),
}
SHAPES = [(1, 28, 28), (3, 32, 32), (3, 96, 96)]


def make(case, in_shape):
    torch.manual_seed(0)
    config = yaml.safe_load((CONF / f"{case.option}.yaml").read_text()) | case.changes
    return build("model", config, in_shape=in_shape, num_outputs=case.outputs)


def sizes():
    for name, case in CASES.items():
        least = max(case.smallest, 8)
        for shape in [(1, least, least), *SHAPES]:
            if shape[1] >= least:
                yield pytest.param(case, shape, id=f"{name}-{'x'.join(map(str, shape))}")


@pytest.mark.parametrize("precision", ["float32", pytest.param("bf16", marks=pytest.mark.long)])
@pytest.mark.parametrize(("case", "in_shape"), [*sizes()])
def test_forward_and_backward_at_batch_2_and_evaluation_at_batch_1(case, in_shape, precision):
    model = make(case, in_shape)
    columns = 1 if case.outputs == 2 else case.outputs
    with torch.autocast("cpu", torch.bfloat16) if precision == "bf16" else nullcontext():
        outputs = model(torch.rand(2, *in_shape))
        outputs.float().square().sum().backward()
    assert outputs.shape == (2, columns)
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.dtype == torch.float32
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16) if precision == "bf16" else nullcontext():
        one = model.eval()(torch.rand(1, *in_shape))
    assert one.shape == (1, columns)
    assert one.isfinite().all()


@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in CASES.items() if case.smallest > 4])
def test_the_smallest_size_is_the_one_named(case):
    least = case.smallest
    make(case, (1, least, least))
    for shape in [(1, least - 1, least), (1, least, least - 1)]:
        with pytest.raises(ConfigError, match=f"at least {least}x{least} pixels, the data has {shape[1]}x{shape[2]}"):
            make(case, shape)


@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in CASES.items() if case.smallest > 4])
def test_images_need_not_be_square(case):
    shape = (2, case.smallest, case.smallest + 9)
    assert make(case, shape)(torch.rand(2, *shape)).shape == (2, case.outputs)


def test_every_option_has_a_row():
    elsewhere = {"torchvision", "timm", "transformers", "encoder"}  # test_pretrained.py, and of words test_encoder.py
    ours = {file.stem for file in CONF.glob("*.yaml")} - elsewhere
    assert {case.option for case in CASES.values()} == ours


@pytest.mark.parametrize("option", sorted({case.option for case in CASES.values()}))
def test_the_log_prior_reaches_the_outputs_of_every_model(option):
    case = next(case for case in CASES.values() if case.option == option)
    model = make(case, (1, 28, 28))
    prior = torch.arange(1.0, case.outputs + 1) / sum(range(1, case.outputs + 1))
    Constant(output_bias="log_prior").initialize(model, 0, prior)
    outputs = model.eval()(torch.rand(1, 1, 28, 28))[0]
    shares = (
        outputs.softmax(0) if case.outputs == len(outputs) else torch.cat([1 - outputs.sigmoid(), outputs.sigmoid()])
    )
    torch.testing.assert_close(shares, prior)
