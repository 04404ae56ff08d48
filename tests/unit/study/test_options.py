"""What may be written on a command line, and what it composes."""

from hpsearch.study.options import available_options, configuration


def test_a_users_options_and_studies_stand_beside_ours(tmp_path):
    for name, text in {
        "model/my_net.yaml": "_target_: my_package.Net\n",
        "study/mine.yaml": "study:\n  question: Is it better?\n",
        "study/broken.yaml": "study: [\n",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    available = available_options([tmp_path])
    assert {"my_net", "mlp"} <= set(available.groups["model"]) and "study" not in available.groups
    assert available.defaults["model"] == "mlp"
    assert (available.studies["mine"], available.studies["broken"]) == ("Is it better?", "")
    assert available.studies["lr_sweep"].startswith("Which learning rates")


def test_a_configuration_or_its_space_is_composed():
    words = ["+study=lr_sweep", "trainer.epochs=7"]
    assert configuration(words)["trainer"]["epochs"] == 7
    assert list(configuration(words, space=True)) == ["optimizer.lr"]
