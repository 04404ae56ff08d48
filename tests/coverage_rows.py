"""What must be configurable: one row per row of the course notes' list, with the words that select it.

The coverage test composes, builds and trains every row for two steps, and checks the list against the folders of conf/.
"""

from typing import NamedTuple


class Row(NamedTuple):
    """One thing a user can configure.

    Attributes:
        section: 1 models, 2 parts of a model, 3 optimizers, 4 schedules, 5 regularizers, 6 data, 7 losses and metrics,
            8 fine-tuning.
        name: what the notes call it.
        words: overrides that select it.
        space: a word that varies it in a search, None where there is nothing to vary.
    """

    section: int
    name: str
    words: tuple[str, ...]
    space: str | None = None


ROWS: list[Row] = [
    Row(1, "softmax regression", ("model=softmax",), "space.optimizer.lr=choice(0.1, 0.2)"),
    Row(1, "MLP", ("model=mlp", "model.hidden=[16]"), "space.model.hidden=choice([8], [16, 16])"),
    Row(1, "LeNet", ("model=lenet", "model.kernel_size=3"), "space.model.dropout=choice(0, 0.1)"),
    Row(1, "LeNet, original", ("model=lenet_original", "model.kernel_size=3"), "space.model.kernel_size=choice(2, 3)"),
    Row(1, "GoogLeNet", ("model=googlenet", "model.ratio=8"), "space.model.norm=choice(none, batch)"),
    Row(1, "ResNet-18", ("model=resnet18", "model.width=8"), "space.model.norm=choice(batch, group)"),
    Row(1, "DenseNet", ("model=densenet", "model.blocks=[2, 2]"), "space.model.growth_rate=choice(4, 8)"),
    Row(1, "Elman RNN", ("model=elman", "model.hidden=16"), "space.model.activation=choice(tanh, relu)"),
    Row(1, "Jordan RNN", ("model=jordan", "model.hidden=16"), "space.model.layers=choice(1, 2)"),
    Row(1, "LSTM", ("model=lstm", "model.hidden=16"), "space.model.layers=choice(1, 2)"),
    Row(1, "GRU", ("model=gru", "model.hidden=16"), "space.model.cell=choice(gru, lstm)"),
    Row(1, "bidirectional", ("model=gru", "model.bidirectional=true"), "space.model.hidden=choice(8, 16)"),
    Row(1, "additive attention", ("model=vit", "model.attention=additive"), "space.model.depth=choice(1, 2)"),
    Row(1, "scaled dot-product attention", ("model=vit", "model.heads=1"), "space.model.size=choice(32, 64)"),
    Row(1, "multi-head attention", ("model=vit", "model.heads=4"), "space.model.expansion=choice(1, 2)"),
    Row(1, "transformer encoder", ("model=vit",), "space.model.patch_size=choice(2, 4)"),
    Row(
        1,
        "spatial transformer",
        ("model=spatial_transformer", "model.kernel_size=3"),
        "space.model.pool=choice(max, avg)",
    ),
    Row(3, "sgd", ("optimizer=sgd",), "space.optimizer.lr=choice(0.1, 0.2)"),
    Row(3, "momentum", ("optimizer=momentum",), "space.optimizer.momentum=choice(0.5, 0.9)"),
    Row(3, "nesterov", ("optimizer=nesterov",), "space.optimizer.momentum=choice(0.5, 0.9)"),
    Row(3, "adagrad", ("optimizer=adagrad",), "space.optimizer.lr=choice(0.01, 0.02)"),
    Row(3, "rmsprop", ("optimizer=rmsprop",), "space.optimizer.alpha=choice(0.9, 0.99)"),
    Row(3, "adam", ("optimizer=adam",), "space.optimizer.betas=choice([0.9, 0.999], [0.5, 0.9])"),
    Row(3, "adamw", ("optimizer=adamw",), "space.optimizer.weight_decay=choice(0.0, 0.01)"),
    Row(3, "gradient clipping by norm", ("trainer.clip_norm=1.0",), "space.trainer.clip_norm=choice(0.1, 1.0)"),
    Row(3, "gradient clipping by value", ("trainer.clip_value=0.5",), "space.trainer.clip_value=choice(0.1, 1.0)"),
    Row(4, "constant", ("scheduler=constant",), None),
    Row(4, "step", ("scheduler=step",), "space.scheduler.gamma=choice(0.1, 0.5)"),
    Row(4, "cosine", ("scheduler=cosine",), "space.scheduler.eta_min=choice(0.0, 0.01)"),
    Row(4, "linear warm-up", ("scheduler=constant", "scheduler.warmup_steps=3"), "space.scheduler.warmup_steps=choice(0, 5)"),
    Row(5, "none", ("regularizer=none",), None),
    Row(5, "L2 (coupled)", ("regularizer=l2",), "space.regularizer.l2.strength=choice(0.0, 0.01)"),
    Row(5, "decoupled weight decay", ("optimizer=adamw", "optimizer.weight_decay=0.1"), None),
    Row(5, "dropout", ("model.dropout=0.2",), "space.model.dropout=choice(0.0, 0.5)"),
    Row(6, "digits", ("data=digits",), "space.data.batch_size=choice(32, 64)"),
    Row(6, "fashion_mnist", ("data=fashion_mnist", "data.train_size=200"), "space.data.scaling=choice(minmax, standardize)"),
    Row(7, "cross-entropy", ("loss=cross_entropy",), "space.loss.label_smoothing=choice(0.0, 0.1)"),
]
