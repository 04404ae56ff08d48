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


TABLE = ("data=table", "data.path=a.csv", "data.target=y")
SAMPLES = {
    "groups": ("data.groups=choice(null,g)", "it decides"),
    "times": ("data.time=choice(null,t)", "it decides"),
    "whether the first line is a row": ("data.header=choice(true,false)", "it decides"),
    "whether rows are dropped": ("data.missing=choice(drop,median)", "with data.missing=drop it decides"),
    "columns, by their gaps": ("data.features=choice([a],[b])", "with data.missing=drop it decides"),
    "a column left out": ("data.drop[0]=choice(a,b)", "with data.missing=drop it decides"),
    "a column of names": ("data.categorical=choice([],[a])", "with data.missing=drop it decides"),
}


@pytest.mark.parametrize(("word", "why"), SAMPLES.values(), ids=SAMPLES)
def test_what_decides_which_samples_are_compared_on_is_refused(word, why):
    dropped = () if "data.missing" in word else ("data.missing=drop", "data.drop=[a]")
    with pytest.raises(SpaceError, match=rf"cannot be searched: {why} which samples points are compared on \(from "):
        compose((*TABLE, *dropped, f"space.{word}"))


def test_how_gaps_are_filled_in_and_columns_are_searched_where_no_row_is_dropped():
    assert compose((*TABLE, "space.data.missing=choice(median,constant)")).space
    assert compose((*TABLE, "data.missing=median", "space.data.features=choice([a],[b])")).space


@pytest.mark.parametrize("words", STAYS.values(), ids=STAYS)
def test_what_does_not_move_it_is_searched(words):
    assert compose(words).space
