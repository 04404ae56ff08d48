"""What people type, and what they are told: the right option or key, or nothing."""

import re

import pytest

from hpsearch.base.errors import ConfigError, HpsearchError, check_choice, nearest
from hpsearch.base.near import distance, is_near, nearest_names, plain
from hpsearch.base.synonyms import ABSENT, NAMES, OTHER_VALUES
from hpsearch.config.compose import compose
from hpsearch.config.groups import CONF, describe_groups
from hpsearch.config.suggestions import for_word, owners_of
from hpsearch.study.corrected import corrected, refusal_of

OPTIONS = {
    # optimizers, by torch's names and others'
    "optimizer=SGD": "sgd",
    "optimizer=Adam": "adam",
    "optimizer=AdamW": "adamw",
    "optimizer=RMSprop": "rmsprop",
    "optimizer=Adagrad": "adagrad",
    "optimizer=Adadelta": "adadelta",
    "optimizer=NAdam": "nadam",
    "optimizer=adma": "adam",
    "optimizer=sdg": "sgd",
    "optimizer=heavy_ball": "momentum",
    "optimizer=nag": "nesterov",
    "optimizer=gradient_descent": "sgd",
    # schedules
    "scheduler=CosineAnnealingLR": "cosine",
    "scheduler=CosineAnnealingWarmRestarts": "cosine_restarts",
    "scheduler=cosine_annealing": "cosine",
    "scheduler=sgdr": "cosine_restarts",
    "scheduler=StepLR": "step",
    "scheduler=step_decay": "step",
    "scheduler=MultiStepLR": "multistep",
    "scheduler=ExponentialLR": "exponential",
    "scheduler=ExponentialDecay": "exponential",
    "scheduler=LambdaLR": "expression",
    "scheduler=OneCycleLR": "one_cycle",
    "scheduler=CyclicLR": "cyclic",
    "scheduler=LinearLR": "linear",
    "scheduler=PolynomialLR": "polynomial",
    "scheduler=PolynomialDecay": "polynomial",
    "scheduler=InverseTimeDecay": "inverse_time",
    "scheduler=ReduceLROnPlateau": "reduce_on_plateau",
    "scheduler=plateau": "reduce_on_plateau",
    "scheduler=SequentialLR": "sequential",
    "scheduler=ChainedScheduler": "chained",
    "scheduler=PiecewiseConstantDecay": "piecewise_constant",
    "scheduler=none": "constant",
    # losses and metrics
    "loss=mae": "l1",
    "loss=L1Loss": "l1",
    "loss=l2": "mse",
    "loss=MSELoss": "mse",
    "loss=CrossEntropyLoss": "cross_entropy",
    "loss=ce": "cross_entropy",
    "loss=NLLLoss": "cross_entropy",
    "loss=sparse_categorical_crossentropy": "cross_entropy",
    "loss=BCEWithLogitsLoss": "binary_cross_entropy",
    "loss=bce": "binary_cross_entropy",
    "loss=SmoothL1Loss": "huber",
    "loss=HuberLoss": "huber",
    "loss=FocalLoss": "focal",
    "metric=accuracy": "acc",
    "metric=auc": "auroc",
    "metric=roc_auc": "auroc",
    "metric=r2_score": "r2",
    "metric=mean_absolute_error": "mae",
    "metric=root_mean_squared_error": "rmse",
    "metric=top5": "top_k",
    "metric=f1": "f1_macro f1_micro f1_binary",
    # initializations
    "init=kaiming": "he_normal he_uniform",
    "init=msra": "he_normal he_uniform",
    "init=he": "he_normal he_uniform",
    "init=kaiming_normal_": "he_normal",
    "init=kaiming_uniform": "he_uniform",
    "init=HeNormal": "he_normal",
    "init=glorot": "xavier_normal xavier_uniform",
    "init=xavier": "xavier_normal xavier_uniform",
    "init=glorot_uniform": "xavier_uniform",
    "init=lecun": "lecun_normal",
    "init=zero": "zeros",
    "init=gaussian": "normal",
    # models
    "model=rnn": "elman lstm gru",
    "model=cnn": "lenet small_conv",
    "model=transformer": "vit encoder",
    "model=linear_svm": "svm",
    "loss=HingeLoss": "hinge",
    "model=ViT": "vit",
    "model=ResNet": "resnet18",
    "model=resnet": "resnet18",
    "model=vgg": "vgg11",
    "model=LeNet5": "lenet",
    "model=inception": "googlenet",
    "model=dnn": "mlp",
    "model=fully_connected": "mlp",
    "model=multilayer_perceptron": "mlp",
    "model=logistic_regression": "logistic",
    "model=LSTM": "lstm",
    "model=densnet": "densenet",
    "model=stn": "spatial_transformer",
    # data and augmentations
    "data=FashionMNIST": "fashion_mnist",
    "data=minst": "mnist",
    "data=CIFAR-10": "cifar10",
    "data=csv": "table",
    "data=ImageFolder": "images",
    "augment=RandomHorizontalFlip": "flip",
    "augment=RandomResizedCrop": "resized_crop",
    "augment=ColorJitter": "colour_jitter",
    "augment=cutout": "erasing",
    # regularizers
    "regularizer=EarlyStopping": "early_stopping",
    "regularizer=lasso": "l1",
    "regularizer=ridge": "l2",
    "regularizer=ElasticNet": "elastic_net",
    "regularizer=[l2,maxnorm]": "max_norm",
    "regularizer=dropout": "model.dropout",
    "regularizer=weight_decay": "optimizer.weight_decay",
    "regularizer=label_smoothing": "loss.label_smoothing",
    "regularizer=batch_norm": "model.norm=batch",
    # searches
    "sampler=bayesian": "tpe gp",
    "sampler=bayes": "tpe gp",
    "sampler=bayesian_optimization": "tpe gp",
    "sampler=genetic": "nsga2",
    "sampler=genetic_algorithm": "nsga2",
    "sampler=NSGAIISampler": "nsga2",
    "sampler=evolutionary": "nsga2 cmaes",
    "sampler=RandomSampler": "random",
    "sampler=random_search": "random",
    "sampler=GridSearchCV": "grid",
    "sampler=TPESampler": "tpe",
    "sampler=QMCSampler": "sobol",
    "pruner=asha": "successive_halving",
    "pruner=MedianPruner": "median",
    "pruner=HyperbandPruner": "hyperband",
    # what stands in another group
    "optimizer=cosine": "scheduler=cosine",
    "scheduler=adam": "optimizer=adam",
    "pruner=tpe": "sampler=tpe",
    "augment=mixup": "regularizer=mixup",
    "metric=huber": "loss=huber",
    "study=lrsweep": "lr_sweep",
}

KEYS = {
    "lr=0.1": "optimizer.lr",
    "learning_rate=0.1": "optimizer.lr",
    "LearningRate=0.1": "optimizer.lr",
    "trainer.lr=0.1": "optimizer.lr",
    "model.learning_rate=0.1": "optimizer.lr",
    "optimizer.learning_rate=0.1": "optimizer.lr",
    "learnig_rate=0.1": "optimizer.lr",
    "learning_rate_init=0.1": "optimizer.lr",
    "optimizer.lrr=0.1": "optimizer.lr",
    "momentum=0.9": "optimizer.momentum",
    "weight_decay=0.1": "optimizer.weight_decay",
    "wd=0.1": "optimizer.weight_decay",
    "batch_size=64": "data.batch_size",
    "trainer.batch_size=64": "data.batch_size",
    "optimizer.batch_size=64": "data.batch_size",
    "bs=64": "data.batch_size",
    "per_device_train_batch_size=64": "data.batch_size",
    "per_device_eval_batch_size=64": "trainer.eval_batch_size",
    "data.bs=64": "data.batch_size",
    "epochs=5": "trainer.epochs",
    "num_train_epochs=5": "trainer.epochs",
    "max_epochs=5": "trainer.epochs",
    "trainer.max_epochs=5": "trainer.epochs",
    "data.epochs=5": "trainer.epochs",
    "max_iter=5": "trainer.epochs",
    "max_steps=5": "trainer.steps",
    "gradient_clip_val=1": "trainer.clip_norm",
    "max_grad_norm=1": "trainer.clip_norm",
    "validation_split=0.1": "data.valid_fraction",
    "val_split=0.1": "data.valid_fraction",
    "random_state=1": "seed",
    "seeds=5": "study.seeds",
    "n_trials=10": "budget.points",
    "n_jobs=2": "launcher.workers",
    "dropout=0.2": "model.dropout",
    "dropout_rate=0.2": "model.dropout",
    "regularizer.dropout=0.2": "model.dropout",
    "hidden=[8]": "model.hidden",
    "hidden_layer_sizes=[8]": "model.hidden",
    "hidden_size=8": "model.hidden",
    "mlp_layers=[8]": "model.hidden",
    "model.layers=2": "model.hidden",
    "activation=tanh": "model.activation",
    "norm=batch": "model.norm",
    "label_smoothing=0.1": "loss.label_smoothing",
    "device=cpu": "trainer.device",
    "warmup_steps=5": "scheduler.warmup_steps",
    "warmup_epochs=5": "scheduler.warmup_steps",
    "monitor=valid/acc": "objective.metric",
    "optimizer.name=adam": "optimizer",
    "optimizer.type=adam": "optimizer",
    "lr_scheduler=cosine": "scheduler",
    "criterion=mse": "loss",
    "solver=adam": "optimizer",
    "dataset=mnist": "data",
    "network=mlp": "model",
    "initializer=zeros": "init",
    "metrics=acc": "metric",
    "optimzer.lr=0.1": "optimizer.lr",
    "modle=mlp": "model",
    "patience=3": "regularizer.early_stopping.patience scheduler.patience budget.patience",
    "bn=true": "model.norm=batch",
    "early_stopping=true": "regularizer=early_stopping",
    "kaiming=true": "init=he_normal init=he_uniform",
    "学习率=0.1": "optimizer.lr",
}

OF_OTHER_OPTIONS = {
    "betas=[0.9,0.99]": "optimizer.betas belongs to optimizer=adam, adamw, lion, nadam",
    "optimizer.beta1=0.9": "optimizer.betas belongs to optimizer=adam, adamw, lion, nadam",
    "model.kernel_size=3": "model.kernel_size belongs to model=lenet, ",
    "kernel_size=3": "model.kernel_size belongs to model=lenet, ",
    "gamma=0.3": "loss.gamma belongs to loss=focal; scheduler.gamma belongs to scheduler=",
    "optimizer.alpha=0.9": "optimizer.alpha belongs to optimizer=rmsprop",
}

_NOTHING = """
optimizer=adan optimizer=radam optimizer=adamax optimizer=lars optimizer=lamb optimizer=muon optimizer=lbfgs
optimizer=banana scheduler=banana model=bert model=gpt2 model=unet model=vgg16 model=resnet50 model=yolo model=knn
data=cifar100 data=imagenet data=svhn data=iris data=kmnist loss=kl loss=ctc loss=triplet metric=mape metric=bleu
sampler=pbt sampler=nsga3 init=banana regularizer=swag regularizer=droppath augment=banana model=null model=none
optimizer=none optimizer=x pruner=xyz metric=mcc
banana=3 foo=1 optimizer.foo=1 trainer.foo=1 model.foo=2 x=1 q=2 data.xyz=1 C=1 tol=1 verbose=1 n_estimators=5
max_depth=3 optimizer.tolerance=3 rnn_banana=2 shuffle_buffer=3
"""
NOTHING = _NOTHING.split()


def refused(word):
    with pytest.raises(HpsearchError) as error:
        compose([word])
    assert "\n" not in str(error.value)
    return error.value


def suggested(message):
    return re.findall(r"'([^']*)'", message.partition("did you mean ")[2].partition("?")[0])


@pytest.mark.parametrize("word", OPTIONS)
def test_an_option_is_found_by_what_others_call_it(word):
    error = refused(word)
    assert ": no such option, did you mean " in str(error)
    assert suggested(str(error)) == OPTIONS[word].split()


@pytest.mark.parametrize("word", KEYS)
def test_a_key_is_found_by_what_others_call_it(word):
    if word.isascii():
        error = str(refused(word))
    else:  # Hydra's grammar has no such keys
        error = nearest(word.partition("=")[0], ["optimizer.lr", "optimizer.momentum"])
    assert suggested(error) == KEYS[word].split()


@pytest.mark.parametrize("word", OF_OTHER_OPTIONS)
def test_a_key_of_other_options_is_said_with_them(word):
    error = refused(word)
    assert OF_OTHER_OPTIONS[word] in str(error)
    assert "did you mean" not in str(error)
    assert error.correction is None


@pytest.mark.parametrize("word", NOTHING)
def test_nothing_is_suggested_where_nothing_is_meant(word):
    error = refused(word)
    assert "did you mean" not in str(error) and "belongs" not in str(error)
    assert error.correction is None


def test_every_suggestion_of_the_table_is_there():
    groups = describe_groups()
    for target in NAMES:
        key, is_value, value = target.partition("=")
        if key in groups:
            assert not is_value or value in groups[key], target
        elif not is_value and "." not in key:
            assert key == "seed"
        elif key.partition(".")[0] in groups and not key.startswith("study."):
            assert owners_of(key, groups, ()), target
        elif not key.startswith("study."):
            assert key in {"budget.points", "budget.seconds", "budget.patience"}, target


def test_the_terms_of_the_table_are_plain_and_none_is_absent():
    terms = {term for listed in NAMES.values() for term in listed.split()}
    assert all(term == plain(term) for term in terms)
    assert not terms & ABSENT
    assert terms >= OTHER_VALUES
    assert all(len(set(listed.split())) == len(listed.split()) for listed in NAMES.values())


def test_no_term_of_a_group_is_the_name_of_another_option_of_it():
    groups = describe_groups()
    for target, terms in NAMES.items():
        group, _, option = target.partition("=")
        names = {plain(name): name for name in groups.get(group, ()) if option}
        assert {names.get(term, option) for term in terms.split()} <= {option}, target


@pytest.mark.parametrize("group", ["optimizer", "scheduler", "loss"])
def test_torchs_class_of_every_option_leads_to_it_or_to_a_sibling(group):
    """Of whatever options there are, those added later too."""
    for file in (CONF / group).glob("*.yaml"):
        target = re.search(r"^_target_: torch\.\S*?(\w+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
        if target is None:
            continue
        classes = [other.stem for other in (CONF / group).glob("*.yaml") if f"{target[0]}\n" in other.read_text()]
        found = suggested(str(refused(f"{group}={target[1]}")))
        assert found and set(found) <= set(classes), (file.stem, found)


@pytest.mark.parametrize(
    ("key", "value", "allowed", "said"),
    [
        ("model.activation", "ReLU", ["relu", "relu6", "gelu"], "relu"),
        ("model.activation", "LeakyReLU", ["relu", "leaky_relu"], "leaky_relu"),
        ("model.activation", "swish", ["silu", "sigmoid"], "silu"),
        ("model.norm", "BatchNorm2d", ["none", "batch", "layer"], "batch"),
        ("model.norm", "LayerNorm", ["none", "batch", "layer"], "layer"),
        ("model.norm", "lrn", ["none", "layer", "local_response"], "local_response"),
        ("data.scaling", "StandardScaler", ["minmax", "standardize"], "standardize"),
        ("trainer.device", "gpu", ["auto", "cpu", "cuda"], "cuda"),
        ("objective.direction", "max", ["maximize", "minimize"], "maximize"),
    ],
)
def test_a_value_is_found_by_what_others_call_it(key, value, allowed, said):
    with pytest.raises(ConfigError) as error:
        check_choice(key, value, allowed)
    assert suggested(str(error.value)) == [said]
    assert tuple(error.value.correction) == (key, value, said)


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("lr=0.1", "optimizer.lr=0.1"),
        ("lr=0.1 epochs=5 batch_size=64", "optimizer.lr=0.1 trainer.epochs=5 data.batch_size=64"),
        ("optimizer.lr=1 lr=0.1", "optimizer.lr=1 optimizer.lr=0.1"),
        ("criterion=CrossEntropyLoss", "loss=cross_entropy"),
        ("optimizer.name=Adam", "optimizer=adam"),
        ("regularizer=[l2,EarlyStopping]", "regularizer=[l2,early_stopping]"),
        ("optimizer=cosine", "scheduler=cosine"),
        ("~momentun", "~optimizer.momentum"),
        ("+study=lr_sweep space.model=choice(mlp,LeNet)", "+study=lr_sweep space.model=choice(mlp,lenet)"),
        ("+study=lr_sweep space.wd=choice(0,0.1)", "+study=lr_sweep space.optimizer.weight_decay=choice(0,0.1)"),
        ("study.sedes=3 +study=lr_sweep", None),
        ("lr=0.1 banana=3", None),  # would be refused again
        ("warmup_epochs=5", None),  # steps are no epochs
        ("init=kaiming", None),  # one of two
        ("momentum=nine", None),
    ],
)
def test_the_whole_command_line_is_corrected_where_it_can_be(given, meant):
    words = given.split()
    error = refusal_of(words, ())
    assert error is not None
    found = corrected(words, error, lambda words: refusal_of(words, ()))
    assert found == (meant and meant.split()), found


def test_a_word_alone_is_an_option_or_a_study():
    groups = describe_groups()
    assert for_word("adam", groups) == ", did you mean 'optimizer=adam'?"
    assert for_word("lr_sweep", groups) == ", did you mean '+study=lr_sweep'?"
    assert for_word("mlp", groups) == ", did you mean 'model=mlp'?"
    assert for_word("none", groups) == for_word("train", groups) == for_word("banana", groups) == ""


def test_a_users_option_and_study_are_suggested_too(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "my_net.yaml").write_text("_target_: my_package.Web\nspikes: 3\n")
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "mine.yaml").write_text("# @package _global_\ntrainer:\n  batch_size: 3\n")
    for word, said in {
        "model=MyNet": "did you mean 'my_net'?",
        "model=Web": "did you mean 'my_net'?",
        "spikes=3": "model.spikes belongs to model=my_net",
        "+study=mine": r"trainer.batch_size: no such key, did you mean 'data.batch_size'?",
    }.items():
        with pytest.raises(ConfigError) as error:
            compose([word], [tmp_path])
        assert said in str(error.value)


@pytest.mark.parametrize(
    ("one", "other", "apart"), [("", "ab", 2), ("sdg", "sgd", 1), ("kitten", "sitting", 3), ("ca", "abc", 3)]
)
def test_the_distance_of_two_words(one, other, apart):
    assert distance(one, other) == distance(other, one) == apart


@pytest.mark.parametrize(
    ("word", "known", "near"),
    [
        ("mae", "mse", False),
        ("rnn", "nin", False),
        ("sdg", "sgd", True),
        ("lrr", "lr", True),
        ("l1", "l2", False),
        ("adma", "adam", True),
        ("cifar100", "cifar10", False),
        ("vgg16", "vgg11", False),
        ("hidden2", "hidden", True),
        ("xavier_norml", "xavier_normal", True),
        ("banana", "adam", False),
    ],
)
def test_a_word_is_near_by_its_length(word, known, near):
    assert is_near(word, known) is near


def test_more_than_three_are_no_suggestion():
    assert nearest_names("cosi", [f"cosine_{letter}" for letter in "abc"]) == ["cosine_a", "cosine_b", "cosine_c"]
    assert nearest_names("cosi", [f"cosine_{letter}" for letter in "abcd"]) == []


def test_metrics_are_found_by_what_others_call_them():
    known = ["train/loss", "valid/acc", "valid/loss", "test/acc"]
    for word in ("val_acc", "valid/accuracy", "val_accuracy", "validation/acc"):
        assert nearest(word, known) == ", did you mean 'valid/acc'?"
    assert nearest("val_loss", known) == ", did you mean 'valid/loss'?"
    assert nearest("bleu", known) == ""
