"""Fifth gate: an output depends on its own input alone, and every parameter is trained."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from hpsearch.base.errors import check_float, check_int
from hpsearch.study.stages.base import Context, Finding
from hpsearch.study.stages.common import Fault, finding, shown


@dataclass(frozen=True, slots=True)
class GradientIsolation:
    """Follows gradients from outputs to inputs and parameters, in evaluation mode.

    Batch normalization mixes the samples of a training batch by design; in evaluation mode it must not.

    Causes: evaluation in training mode, samples mixed in the model, samples mixed in the loss, frozen parameters,
    parameters without gradient, parameters missing in the optimizer.

    Args:
        samples: in the batch that is looked at.
        rounding: relative difference up to which two results are the same.
        on_fail: ``stop`` or ``continue``.
    """

    title: ClassVar[str] = "Who reaches whom"
    question: ClassVar[str] = "Does an output depend on its own input alone, and is every parameter trained?"

    samples: int = 8
    rounding: float = 1e-3
    on_fail: str = "stop"

    def __post_init__(self) -> None:
        check_int("stages.gradient_isolation.samples", self.samples, 2)
        check_float("stages.gradient_isolation.rounding", self.rounding, "(0, 1)")

    def run(self, context: Context) -> Finding:
        """Follow the gradients."""
        found = context.measure("gradient_isolation", context.config(), samples=self.samples)
        numbers = {name: len(value) if isinstance(value, list | tuple) else value for name, value in found.items()}
        norms = "; batch normalization mixes them in training, by design" if found["batch_norms"] else ""
        sound = f"every output depends on its own sample alone, and every parameter is trained{norms}"
        return finding([*self._modes(found), *_parameters(found)], sound, numbers)

    def _modes(self, found: Mapping[str, Any]) -> Iterator[Fault]:
        if found["repeat"] > self.rounding:
            sentence = f"two evaluations of the same batch differ by {found['repeat']:.2g} of the largest output"
        elif found["company"] > self.rounding and found["training"]:
            sentence = (
                f"samples evaluated in another batch give outputs that differ by {found['company']:.2g}, and "
                f"{shown(found['training'])} stay in training mode"
            )
        else:
            sentence = ""
        if sentence:
            action = "let the model follow self.training: what drops or normalizes must not in evaluation mode"
            yield Fault("evaluation in training mode", sentence, action)
        elif found["model_leak"] > self.rounding:
            sentence = f"another sample's input moves an output by {found['model_leak']:.2g} of what its own does"
            yield Fault("samples mixed in the model", sentence, "look for a layer that reduces or reshapes the batch")
        if found["loss_leak"] > self.rounding:
            sentence = f"the gradient of one output changes by {found['loss_leak']:.2g} with the other samples' outputs"
            yield Fault("samples mixed in the loss", sentence, "let the loss be a mean of one term per sample")


def _parameters(found: Mapping[str, Any]) -> Iterator[Fault]:
    if found["frozen"]:
        sentence = f"{shown(found['frozen'])} require no gradient, and finetune did not ask for it"
        yield Fault("frozen parameters", sentence, "remove requires_grad_(False), or choose finetune=head")
    if found["unreached"]:
        sentence = f"the loss does not depend on {shown(found['unreached'])}"
        action = "look for detach(), torch.no_grad() or a layer that forward does not use"
        yield Fault("parameters without gradient", sentence, action)
    if found["forgotten"]:
        sentence = f"the optimizer was not given {shown(found['forgotten'])}"
        yield Fault("parameters missing in the optimizer", sentence, "give optimizer every group of parameters")
