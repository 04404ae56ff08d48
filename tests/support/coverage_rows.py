"""What must be configurable: one row per row of the course notes' list, with the words that select it.

The coverage test composes, builds and trains every row for two steps, and checks the list against the folders of conf/.
"""

from typing import NamedTuple

from tests.support.data_files import folder


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


FILES = folder()
IMAGES = ("data=images", f"data.folder={FILES}/images", "data.train_size=null")
TABLE = ("data=table", f"data.path={FILES}/table.csv", "data.categorical=[colour]")

ROWS: list[Row] = [
    Row(1, "softmax regression", ("model=softmax",), "space.optimizer.lr=choice(0.1, 0.2)"),
    Row(1, "MLP", ("model=mlp", "model.hidden=[16]"), "space.model.hidden=choice([8], [16, 16])"),
    Row(
        1,
        "MLP of a depth and a number of parameters",
        ("model=mlp_of_size", "model.parameters=2000"),
        "space.model.depth=choice(1, 3)",
    ),
    Row(1, "LeNet", ("model=lenet", "model.kernel_size=3"), "space.model.dropout=choice(0, 0.1)"),
    Row(1, "LeNet, original", ("model=lenet_original", "model.kernel_size=3"), "space.model.kernel_size=choice(1, 3)"),
    Row(1, "linear regression", ("model=linear", "data=diabetes", "loss=mse", "objective=valid_loss"), None),
    Row(
        1,
        "polynomial regression (degree m)",
        ("model=polynomial", "model.interactions=true", "data=diabetes", "loss=mse", "objective=valid_loss"),
        "space.model.degree=choice(1, 3)",
    ),
    Row(
        1,
        "polynomial regression of one input, with a penalty or without",
        (
            *("model=polynomial", "model.degree=9", "data=curve", "loss=mse", "objective=valid_loss"),
            *("regularizer=l2", "optimizer.lr=1e-4"),  # at a larger rate the powers as they are diverge
        ),
        "space.model.scaled=choice(true, false)",
    ),
    Row(1, "logistic regression", ("model=logistic", "data.classes=[0,1]", "loss=binary_cross_entropy"), None),
    Row(1, "linear SVM", ("model=svm", "loss=hinge", "regularizer=l2"), "space.loss.margin=choice(0.5, 1.0)"),
    Row(1, "linear SVM of two classes", ("model=svm", "loss=hinge", "data.classes=[0,1]"), None),
    Row(
        1,
        "perceptron",
        ("model=perceptron", "loss=perceptron", "init=zeros", "optimizer=sgd", "data.batch_size=1"),
        "space.optimizer.lr=choice(0.1, 1.0)",
    ),
    Row(1, "MLP with dropout per layer", ("model.hidden=[16,8]",), "space.model.dropout=choice([0.1, 0.5], 0.2)"),
    Row(1, "AlexNet", ("model=alexnet", "model.ratio=16"), "space.model.hidden=choice([16], [16, 16])"),
    Row(1, "VGG-11", ("model=vgg11", "model.hidden=[16]"), "space.model.ratio=choice(8, 16)"),
    Row(1, "NiN", ("model=nin", "model.ratio=16"), "space.model.pointwise=choice(1, 2)"),
    Row(1, "2c2d", ("model=small_conv_original", "model.hidden=[16]"), "space.model.kernel_size=choice(3, 5)"),
    Row(
        1, "a small conv-BN net", ("model=small_conv", "model.hidden=[16]"), "space.model.channels=choice([4], [4, 8])"
    ),
    Row(1, "GoogLeNet", ("model=googlenet", "model.ratio=8"), "space.model.norm=choice(none, batch)"),
    Row(1, "ResNet-18", ("model=resnet18", "model.width=8"), "space.model.norm=choice(batch, group)"),
    Row(1, "DenseNet", ("model=densenet", "model.blocks=[2, 2]"), "space.model.growth_rate=choice(4, 8)"),
    Row(
        1, "ResNet without shortcuts", ("model=resnet18", "model.width=4"), "space.model.shortcuts=choice(true, false)"
    ),
    Row(
        1,
        "DenseNet, plain",
        ("model=densenet", "model.blocks=[2, 2]", "model.growth_rate=4"),
        "space.model.shortcuts=choice(true, false)",
    ),
    *(
        Row(1, f"{what} of a convolutional net", ("model=small_conv", "model.hidden=[16]"), f"space.model.{space}")
        for what, space in (
            ("kind of pooling", "pool=choice(max, avg, l2)"),
            ("window of the pooling", "pool_size=choice(2, 3)"),
            ("stride of the pooling", "pool_stride=choice(1, 2)"),
            ("padding of the pooling", "pool_padding=choice(0, 1)"),
            ("stride", "stride=choice(1, 2)"),
            ("padding", "padding=choice(2, 3)"),
        )
    ),
    Row(1, "Elman RNN", ("model=elman", "model.hidden=16"), "space.model.activation=choice(tanh, relu)"),
    Row(1, "Jordan RNN", ("model=jordan", "model.hidden=16"), "space.model.layers=choice(1, 2)"),
    Row(1, "LSTM", ("model=lstm", "model.hidden=16"), "space.model.layers=choice(1, 2)"),
    Row(1, "GRU", ("model=gru", "model.hidden=16"), "space.model.cell=choice(gru, lstm)"),
    Row(1, "bidirectional", ("model=gru", "model.bidirectional=true"), "space.model.hidden=choice(8, 16)"),
    *(
        Row(1, f"a label per word: {model}", ("data=tagging", f"model={model}"), f"space.model.{space}")
        for model, space in {
            "elman": "embedding=choice(8, 16)",
            "jordan": "bidirectional=choice(true, false)",
            "lstm": "bidirectional=choice(true, false)",
            "gru": "dropout=choice(0.0, 0.2)",
            "encoder": "positions=choice(sinusoidal, none)",
        }.items()
    ),
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
    *(
        Row(
            1,
            f"a model of {library} by name",
            (f"model={library}", "model.name=small", "model.weights=default"),
            "space.model.name=choice(small, smaller)",
        )
        for library in ("torchvision", "timm")
    ),
    Row(
        1,
        "a model of transformers by type",
        (
            "model=transformers",
            "model.config={hidden_size: 8, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 8, "
            "image_size: 8, patch_size: 4}",
        ),
        "space.model.name=choice(vit, deit)",
    ),
    *(
        Row(2, name, (f"model.activation={name}",), f"space.model.activation=choice(relu, {name})")
        for name in ["sigmoid", "tanh", "crelu", "leaky_relu", "prelu", "relu6", "elu", "selu", "silu", "gelu", "mish"]
    ),
    Row(2, "relu", ("model.activation=relu",), "space.model.activation=choice(relu, tanh)"),
    Row(2, "maxout", ("model=lenet", "model.kernel_size=3"), "space.model.activation=choice(maxout, relu)"),
    Row(2, "slope of leaky ReLU", ("model.activation=leaky_relu",), "space.model.activation_slope=choice(0.1, 0.3)"),
    Row(2, "initial slope of PReLU", ("model.activation=prelu",), "space.model.activation_slope=choice(0, 0.3)"),
    Row(2, "k of maxout", ("model.activation=maxout",), "space.model.activation_pieces=choice(2, 4)"),
    Row(2, "epsilon of batch norm", ("model.norm=batch",), "space.model.norm_eps=tag(log, interval(1e-5, 1e-2))"),
    Row(2, "momentum of batch norm", ("model.norm=batch",), "space.model.norm_momentum=choice(0.01, 0.1)"),
    Row(2, "number of groups", ("model.norm=group",), "space.model.norm_groups=choice(2, 8)"),
    *(
        Row(
            2,
            f"{name} of local response normalization",
            ("model=lenet", "model.kernel_size=3", "model.norm=local_response"),
            f"space.model.norm_{key}=choice({values})",
        )
        for name, key, values in (
            ("n", "size", "3, 5"),
            ("alpha", "alpha", "1e-4, 1e-2"),
            ("beta", "beta", "0.5, 0.75"),
            ("k", "k", "1, 2"),
        )
    ),
    *(
        Row(
            2, f"{norm} norm in {model}", (f"model={model}", "model.hidden=8"), f"space.model.norm=choice({norm}, none)"
        )
        for model in ("elman", "jordan", "lstm", "gru")
        for norm in ("layer", "weight")
    ),
    Row(
        2,
        "epsilon of layer norm in a recurrent model",
        ("model=lstm", "model.hidden=8", "model.norm=layer"),
        "space.model.norm_eps=choice(1e-5, 1e-2)",
    ),
    Row(2, "no activation", ("model.activation=identity",), "space.model.activation=choice(relu, identity)"),
    Row(2, "softplus", ("model.activation=softplus",), "space.model.activation=choice(softplus, relu)"),
    *(
        Row(
            2, f"{name} normalization", ("model=lenet", "model.kernel_size=3"), f"space.model.norm=choice({name}, none)"
        )
        for name in ("batch", "layer", "instance", "group", "weight", "local_response")
    ),
    Row(2, "no normalization", ("model=small_conv", "model.hidden=[16]"), "space.model.norm=choice(none, batch)"),
    Row(2, "norm before or after the activation", ("model.norm=batch",), "space.model.norm_first=choice(false, true)"),
    Row(2, "default initialization", ("init=default",), "space.init=choice(default, he_normal)"),
    Row(2, "zeros", ("init=zeros",), "space.init=choice(zeros, he_normal)"),
    Row(2, "constant initialization", ("init=constant",), "space.init.value=choice(0.01, 0.1)"),
    Row(2, "normal(std)", ("init=normal",), "space.init.std=choice(0.01, 0.1)"),
    Row(2, "xavier normal", ("init=xavier_normal",), "space.init.scale=choice(1.0, 2.0)"),
    Row(2, "xavier uniform", ("init=xavier_uniform",), "space.init.scale=choice(1.0, 2.0)"),
    Row(2, "he normal", ("init=he_normal",), "space.init.fan=choice(in, avg)"),
    Row(2, "he uniform", ("init=he_uniform",), "space.init.scale=choice(1.0, 2.0)"),
    Row(2, "lecun", ("init=lecun_normal",), "space.init.distribution=choice(uniform, normal)"),
    Row(2, "orthogonal", ("init=orthogonal",), "space.init.gain=choice(1.0, 1.4)"),
    Row(2, "bias init: zero or constant", ("init=he_normal",), "space.init.bias=choice(0.0, 0.05)"),
    Row(2, "bias init: log-prior", ("init.output_bias=log_prior",), "space.init.output_bias=choice(log_prior, 0.0)"),
    Row(3, "sgd", ("optimizer=sgd",), "space.optimizer.lr=choice(0.1, 0.2)"),
    Row(3, "momentum", ("optimizer=momentum",), "space.optimizer.momentum=choice(0.5, 0.9)"),
    Row(3, "nesterov", ("optimizer=nesterov",), "space.optimizer.momentum=choice(0.5, 0.9)"),
    Row(3, "adagrad", ("optimizer=adagrad",), "space.optimizer.lr=choice(0.01, 0.02)"),
    Row(3, "rmsprop", ("optimizer=rmsprop",), "space.optimizer.alpha=choice(0.9, 0.99)"),
    Row(3, "adam", ("optimizer=adam",), "space.optimizer.betas=choice([0.9, 0.999], [0.5, 0.9])"),
    Row(
        3,
        "adam without bias correction",
        ("optimizer=adam", "optimizer.bias_correction=false"),
        "space.optimizer.bias_correction=choice(true, false)",
    ),
    Row(
        3,
        "momentum with the rate inside the velocity",
        ("optimizer=momentum", "optimizer.form=inside"),
        "space.optimizer.form=choice(inside, outside)",
    ),
    Row(3, "adamw", ("optimizer=adamw",), "space.optimizer.weight_decay=choice(0.0, 0.01)"),
    Row(3, "adadelta", ("optimizer=adadelta",), "space.optimizer.rho=choice(0.8, 0.95)"),
    Row(3, "nadam", ("optimizer=nadam",), "space.optimizer.momentum_decay=choice(0.0, 0.004)"),
    Row(3, "lion", ("optimizer=lion",), "space.optimizer.betas=choice([0.9, 0.99], [0.95, 0.98])"),
    Row(3, "momentum warm-up", ("optimizer=momentum_warmup",), "space.optimizer.initial_momentum_steps=choice(0, 2)"),
    Row(
        3,
        "per-parameter-group weight decay",
        (
            "optimizer=adamw",
            "optimizer.weight_decay=0.1",
        ),
        "space.optimizer.decay_bias_and_norm=choice(false, true)",
    ),
    Row(3, "gradient clipping by norm", ("trainer.clip_norm=1.0",), "space.trainer.clip_norm=choice(0.1, 1.0)"),
    Row(3, "gradient clipping by value", ("trainer.clip_value=0.5",), "space.trainer.clip_value=choice(0.1, 1.0)"),
    Row(4, "constant", ("scheduler=constant",), None),
    Row(4, "step", ("scheduler=step",), "space.scheduler.gamma=choice(0.1, 0.5)"),
    Row(4, "cosine, which holds at its end", ("scheduler=cosine",), "space.scheduler.min_factor=choice(0.0, 0.1)"),
    Row(4, "constant with factor", ("scheduler=constant_factor",), "space.scheduler.factor=choice(0.1, 0.5)"),
    Row(4, "multistep", ("scheduler=multistep",), "space.scheduler.milestones=choice([1], [1, 2])"),
    Row(4, "exponential", ("scheduler=exponential",), "space.scheduler.decay_steps=choice(1, 2)"),
    Row(
        4,
        "exponential, a staircase",
        ("scheduler=exponential", "scheduler.staircase=true", "scheduler.decay_steps=2"),
        "space.scheduler.gamma=choice(0.5, 0.9)",
    ),
    Row(4, "natural exponential", ("scheduler=natural_exponential",), "space.scheduler.rate=choice(0.05, 0.1)"),
    Row(4, "inverse time", ("scheduler=inverse_time",), "space.scheduler.b=choice(1.0, 10.0)"),
    Row(4, "polynomial", ("scheduler=polynomial",), "space.scheduler.power=choice(1.0, 2.0)"),
    Row(4, "polynomial to an end rate", ("scheduler=polynomial",), "space.scheduler.end_factor=choice(0.0, 0.1)"),
    Row(4, "polynomial with cycling", ("scheduler=polynomial_cycling",), "space.scheduler.period=choice(2, 3)"),
    Row(4, "linear cosine", ("scheduler=linear_cosine",), "space.scheduler.num_periods=choice(0.5, 1.5)"),
    Row(
        4,
        "noisy linear cosine",
        ("scheduler=noisy_linear_cosine",),
        "space.scheduler.initial_variance=choice(0.1, 1.0)",
    ),
    Row(4, "cosine with warm restarts", ("scheduler=cosine_restarts",), "space.scheduler.T_0=choice(1, 2)"),
    Row(4, "linear", ("scheduler=linear",), "space.scheduler.end_factor=choice(0.0, 0.1)"),
    Row(4, "cyclic, triangular", ("scheduler=cyclic",), "space.scheduler.low=choice(0.1, 0.25)"),
    Row(4, "cyclic, triangular2", ("scheduler=cyclic_triangular2",), "space.scheduler.step_size_up=choice(2, 4)"),
    Row(4, "cyclic, exp_range", ("scheduler=cyclic_exp_range",), "space.scheduler.gamma=choice(0.9, 0.99)"),
    Row(4, "one-cycle with momentum cycling", ("scheduler=one_cycle",), "space.scheduler.pct_start=choice(0.2, 0.4)"),
    Row(
        4,
        "piecewise constant",
        ("scheduler=piecewise_constant",),
        "space.scheduler.factors=choice([1, 0.5, 0.1], [1, 0.3, 0.03])",
    ),
    Row(
        4,
        "lambda expression",
        ("scheduler=expression",),
        "space.scheduler.factor=choice('1 / (1 + epoch)', 'exp(-epoch)')",
    ),
    Row(4, "sequential", ("scheduler=sequential",), "space.scheduler.parts=choice([linear, cosine], [constant, step])"),
    Row(4, "chained", ("scheduler=chained",), "space.scheduler.parts[0].step.gamma=choice(0.5, 0.9)"),
    Row(4, "reduce on plateau", ("scheduler=reduce_on_plateau",), "space.scheduler.patience=choice(0, 1)"),
    Row(
        4,
        "halve when the objective changes less than a threshold",
        ("scheduler=halve_when_flat",),
        "space.scheduler.threshold=choice(0.001, 0.01)",
    ),
    Row(
        4,
        "linear warm-up",
        ("scheduler=constant", "scheduler.warmup_steps=3"),
        "space.scheduler.warmup_steps=choice(0, 5)",
    ),
    Row(
        4,
        "exponential warm-up",
        (
            "scheduler=cosine",
            "scheduler.warmup=exponential",
            "scheduler.warmup_steps=3",
        ),
        "space.scheduler.warmup=choice(linear, exponential)",
    ),
    Row(5, "none", ("regularizer=none",), None),
    Row(5, "L2 (coupled)", ("regularizer=l2",), "space.regularizer.l2.strength=choice(0.0, 0.01)"),
    Row(5, "L1", ("regularizer=l1",), "space.regularizer.l1.strength=choice(0.0, 0.01)"),
    Row(5, "Lp", ("regularizer=lp",), "space.regularizer.lp.p=choice(1.2, 3.0)"),
    Row(5, "elastic net", ("regularizer=elastic_net",), "space.regularizer.elastic_net.l1_ratio=choice(0.1, 0.9)"),
    Row(5, "max-norm", ("regularizer=max_norm",), "space.regularizer.max_norm.limit=choice(1.0, 3.0)"),
    Row(5, "early stopping", ("regularizer=early_stopping",), "space.regularizer.early_stopping.patience=choice(1, 2)"),
    Row(5, "label smoothing", ("loss.label_smoothing=0.1",), "space.loss.label_smoothing=choice(0.1, 0.2)"),
    Row(5, "EMA, decay in epochs", ("regularizer=ema",), "space.regularizer.ema.epochs=choice(0.5, 2.0)"),
    Row(5, "EMA as torch's", ("regularizer=ema_torch",), "space.regularizer.ema_torch.decay=choice(0.9, 0.99)"),
    Row(5, "SWA", ("regularizer=swa",), "space.regularizer.swa.lr=choice(null, 0.05)"),
    Row(5, "mixup", ("regularizer=mixup",), "space.regularizer.mixup.alpha=choice(0.2, 1.0)"),
    Row(5, "cutmix", ("regularizer=cutmix",), "space.regularizer.cutmix.alpha=choice(0.5, 1.0)"),
    Row(5, "several at once", ("regularizer=[l2,max_norm,mixup]",), None),
    Row(5, "decoupled weight decay", ("optimizer=adamw", "optimizer.weight_decay=0.1"), None),
    Row(5, "dropout", ("model.dropout=0.2",), "space.model.dropout=choice(0.0, 0.5)"),
    Row(5, "no augmentation", ("augment=none",), "space.augment=choice(none, flip, [flip, crop])"),
    Row(5, "horizontal flip", ("augment=flip",), "space.augment.flip.p=choice(0.2, 0.5)"),
    Row(
        5,
        "random shift and crop",
        ("augment=crop", "augment.crop.padding=1"),
        "space.augment.crop.padding=choice(0, 2)",
    ),
    Row(
        5,
        "random scale and crop",
        ("augment=resized_crop",),
        "space.augment.resized_crop.scale=choice([0.1, 1], [0.5, 1])",
    ),
    Row(5, "rotation", ("augment=rotation",), "space.augment.rotation.degrees=interval(5, 30)"),
    Row(
        5,
        "brightness, contrast and colour jitter",
        ("augment=colour_jitter", *IMAGES),
        "space.augment.colour_jitter.hue=choice(0, 0.1)",
    ),
    Row(5, "random erasing", ("augment=erasing",), "space.augment.erasing.p=choice(0.2, 0.5)"),
    Row(5, "several augmentations", ("augment=[flip,crop,erasing]",), "space.augment.crop.padding=choice(1, 2)"),
    Row(5, "test-time flip averaging", ("trainer.eval_views=flip",), "space.trainer.eval_views=choice(none, flip)"),
    Row(
        5,
        "test-time centre crop",
        ("trainer.eval_views=centre_crop",),
        "space.trainer.eval_views=choice(none, centre_crop)",
    ),
    Row(5, "test-time ten-crop", ("trainer.eval_views=ten_crop",), None),
    Row(6, "digits", ("data=digits",), "space.data.batch_size=choice(32, 64)"),
    Row(6, "mnist", ("data=mnist", f"data.root={FILES}/mnist"), "space.data.batch_size=choice(8, 16)"),
    Row(6, "cifar10", ("data=cifar10", f"data.root={FILES}/cifar"), "space.data.scaling=choice(minmax, standardize)"),
    Row(
        6,
        "diabetes",
        ("data=diabetes", "loss=mse", "objective.metric=valid/r2"),
        "space.data.target_scaling=choice(minmax, standardize)",
    ),
    Row(
        6,
        "points around a sine or a polynomial",
        ("data=curve", "data.function=[0,1,0,-1]", "loss=mse", "objective=valid_loss"),
        "space.data.scaling=choice(minmax, standardize)",
    ),
    Row(6, "breast_cancer", ("data=breast_cancer",), "space.data.scaling=choice(log, standardize)"),
    Row(6, "wine", ("data=wine",), "space.data.train_size=choice(40, 80)"),
    Row(
        6,
        "CSV, classification",
        (*TABLE, "data.target=kind", "data.drop=[id,price]"),
        "space.data.features=choice([size, colour], [weight, colour])",
    ),
    Row(
        6,
        "CSV, regression",
        (
            *TABLE,
            "data.target=price",
            "data.drop=[id,kind]",
            "data.task=regression",
            "loss=mse",
            "objective=valid_loss",
        ),
        None,
    ),
    Row(6, "tagging", ("data=tagging", "model=gru"), "space.data.min_count=choice(1, 2)"),
    Row(
        6,
        "conll",
        ("data=conll", f"data.path={FILES}/words.conll", "data.valid_fraction=0.2", "data.train_size=40", "model=gru"),
        "space.data.lowercase=choice(true, false)",
    ),
    Row(6, "npz", ("data=npz", f"data.path={FILES}/arrays.npz"), "space.data.scaling=choice(minmax, none)"),
    Row(6, "images from a folder", IMAGES, "space.data.grey=choice(true, false)"),
    Row(
        6,
        "a user's Dataset",
        ("data=dataset", "plugins=[tests]", "data.dataset={_target_:tests.support.data_files.Points,n:120}"),
        "space.data.batch_size=choice(8, 16)",
    ),
    Row(6, "scaling: log", ("data.scaling=log",), "space.data.scaling=choice(log, none)"),
    Row(6, "scaling: exponential", ("data.scaling=exponential",), "space.data.scaling=choice(exponential, none)"),
    Row(6, "scaling: arctangent", ("data.scaling=arctangent",), "space.data.scaling=choice(arctangent, none)"),
    Row(6, "batch size 1", ("data.batch_size=1", "data.train_size=20"), "space.data.batch_size=choice(1, 2)"),
    Row(6, "accumulation", ("data.micro_batch=8",), "space.data.micro_batch=choice(8, auto)"),
    Row(6, "a last batch left out", ("data.drop_last=true",), "space.data.drop_last=choice(true, auto)"),
    Row(6, "full batch", ("data.batch_size=full",), "space.data.batch_size=choice(32, full)"),
    Row(6, "k-fold cross-validation", ("data.folds=4",), None),
    Row(
        6,
        "a small overfit subset",
        ("data.train_size=20", "data.batch_size=10"),
        "space.data.train_size=choice(20, 40)",
    ),
    Row(
        6,
        "class-imbalance weights",
        ("data.class_weights=balanced",),
        "space.data.class_weights=choice(balanced, [1, 2, 1, 1, 1, 1, 1, 1, 1, 1])",
    ),
    Row(6, "balanced sampling", ("data.sampling=balanced",), "space.data.sampling=choice(null, balanced)"),
    Row(6, "some of the classes", ("data.classes=[0,1,2,3,4]",), None),
    Row(6, "a fixed order", ("data.shuffle=false",), "space.data.shuffle=choice(true, false)"),
    Row(6, "a DataLoader", ("data.loader_workers=0",), "space.data.loader_workers=choice(0, 1)"),
    Row(
        6,
        "fashion_mnist",
        ("data=fashion_mnist", "data.train_size=200"),
        "space.data.scaling=choice(minmax, standardize)",
    ),
    Row(7, "cross-entropy", ("loss=cross_entropy",), "space.loss.label_smoothing=choice(0.0, 0.1)"),
    Row(7, "binary cross-entropy", ("loss=binary_cross_entropy",), "space.loss.label_smoothing=choice(0.0, 0.1)"),
    Row(7, "focal", ("loss=focal",), "space.loss.gamma=choice(1.0, 2.0)"),
    Row(7, "hinge", ("loss=hinge",), "space.loss.multiclass=choice(crammer_singer, weston_watkins)"),
    Row(7, "squared hinge", ("loss=hinge", "loss.power=2"), "space.loss.power=choice(1, 2)"),
    Row(7, "MSE of classes", ("loss=mse",), "space.loss=choice(cross_entropy, mse, hinge)"),
    Row(7, "MSE of softmax and sigmoid outputs", ("loss=mse",), "space.loss.outputs=choice(softmax, sigmoid)"),
    Row(7, "MSE, with RMSE, MAE and R2", ("loss=mse", "data=diabetes", "objective=valid_loss"), None),
    Row(7, "L1", ("loss=l1", "data=diabetes", "objective.metric=valid/r2"), "space.loss=choice(l1, mse, huber)"),
    Row(7, "Huber", ("loss=huber", "data=diabetes", "objective.metric=valid/r2"), "space.loss.delta=choice(0.5, 1.0)"),
    Row(7, "accuracy, F1 (averages), AUROC", ("metric=[acc,f1_macro,f1_micro,f1_weighted,auroc]",), None),
    Row(7, "precision (averages)", ("metric=[precision_macro,precision_micro,precision_weighted]",), None),
    Row(7, "recall (averages)", ("metric=[recall_macro,recall_micro,recall_weighted]",), None),
    Row(
        7,
        "F1, precision and recall of one class of two",
        (
            "metric=[f1_binary,precision_binary,recall_binary]",
            "data=breast_cancer",
            "data.positive=malignant",
            "objective.metric=valid/recall_binary",
        ),
        None,
    ),
    Row(
        7,
        "F1 of spans",
        ("data=tagging", "model=gru", "metric=[acc,f1_spans,f1_macro]", "objective.metric=valid/f1_spans"),
        "space.model.hidden=choice(8, 16)",
    ),
    Row(7, "top-k accuracy", ("metric=[top_k]", "metric.top_k.k=[2,5]"), None),
    Row(7, "no further metric", ("metric=none",), None),
    Row(
        7,
        "RMSE, MAE, R2",
        ("metric=[rmse,mae,r2]", "data=diabetes", "loss=mse", "objective=valid_loss"),
        None,
    ),
    Row(8, "from scratch", ("finetune=none",), None),
    Row(8, "predict only", ("finetune=predict", "finetune.source=CHECKPOINT"), None),
    Row(8, "train the head", ("finetune=head", "finetune.source=CHECKPOINT"), "space.finetune=choice(head, all, none)"),
    Row(
        8,
        "unfreeze the last k blocks",
        ("finetune=last_k", "finetune.source=CHECKPOINT"),
        "space.finetune.k=choice(1, 2)",
    ),
    Row(
        8,
        "train everything, the pretrained part slower",
        ("finetune=all", "finetune.source=CHECKPOINT"),
        "space.finetune.rate_factor=tag(log, interval(0.01, 1.0))",
    ),
]
