import pytest

from hpsearch.base.errors import SpaceError
from hpsearch.config.compose import compose

LOSS = "objective.metric=valid/loss"
WEIGHTED = "objective.metric=valid/weighted_loss"
NUMBERS = ("data=diabetes", "loss=huber")
MOVES = {
    "the loss": ("space.loss=choice(cross_entropy,focal)", LOSS),
    "its shape": ("space.loss.delta=choice(1,2)", *NUMBERS, LOSS),
    "scaling": ("space.data.target_scaling=choice(none,minmax)", *NUMBERS, LOSS),
    "smoothing": ("space.loss.label_smoothing=choice(0,0.1)", WEIGHTED),
    "focus": ("space.loss.gamma=choice(1,2)", "loss=focal", WEIGHTED),
    "class weights": ("space.data.class_weights=choice(null,balanced)", WEIGHTED),
    "the test part's": ("space.loss.label_smoothing=choice(0,0.1)", "objective.metric=train/weighted_loss"),
    "another objective": (
        "space.loss=choice(cross_entropy,focal)",
        "objective.others=[{_target_: hpsearch.base.types.Objective, metric: valid/loss}]",
    ),
    "a limit": ("space.loss=choice(cross_entropy,focal)", "objective.limits={valid/loss: 2}"),
    "penalty": ("space.regularizer.l2.strength=choice(1e-3,1e-2)", "regularizer=l2", "objective.metric=train/penalty"),
    "a loss of one's own": ("space.loss.gamma=choice(1,2)", "+loss.gamma=1", "loss._target_=mine.Loss", LOSS),
}
STAYS = {
    "accuracy": ("space.loss=choice(cross_entropy,focal)", "objective.metric=valid/acc"),
    "r2": ("space.data.target_scaling=choice(none,minmax)", *NUMBERS, "objective.metric=valid/r2"),
    "errors in units": (
        "space.data.target_scaling=choice(none,minmax)",
        *NUMBERS,
        "objective.metric=valid/rmse",
        "objective.others=[{_target_: hpsearch.base.types.Objective, metric: valid/mae, direction: minimize}]",
    ),
    "plain loss, smoothing": ("space.loss.label_smoothing=choice(0,0.1)", LOSS),
    "plain loss, focus": ("space.loss.gamma=choice(1,2)", "loss=focal", LOSS),
    "plain loss, weights": ("space.data.class_weights=choice(null,balanced)", LOSS),
    "plain loss, penalty": ("space.regularizer=choice(none,l2)", LOSS),
    "inputs": ("space.data.scaling=choice(none,minmax)", LOSS),
    "how much is learnt from": ("space.data.train_size=choice(100,200)", LOSS),
    "batches": ("space.data.batch_size=choice(16,32)", LOSS),
}


@pytest.mark.parametrize("words", MOVES.values(), ids=MOVES)
@pytest.mark.parametrize("block", ["space", "nuisance"])
def test_what_moves_the_objective_is_refused_and_another_objective_named(words, block):
    first, *others = words
    key = first.partition("=")[0].removeprefix("space.")
    if block == "nuisance":
        first, others = f"nuisance.{first.removeprefix('space.')}", [*others, "space.optimizer.lr=choice(0.1,0.2)"]
    with pytest.raises(
        SpaceError, match=rf"^{key} cannot be searched with objective\.\S+ = \S+, which is.* \(from "
    ) as error:
        compose((first, *others))
    assert "such as valid/acc of classes, or valid/rmse or valid/r2 of numbers" in str(error.value)


@pytest.mark.parametrize("words", STAYS.values(), ids=STAYS)
def test_what_does_not_move_it_is_searched(words):
    assert compose(words).space
