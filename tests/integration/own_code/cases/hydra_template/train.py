"""An application of the kind of lightning-hydra-template: all parts are options, and the metric is returned."""

import hydra
import lightning.pytorch as pl
from hydra.utils import instantiate


@hydra.main(version_base=None, config_path="conf", config_name="train")
def main(config):
    pl.seed_everything(config.seed, verbose=False)
    data, model = instantiate(config.data), instantiate(config.model)
    callbacks = [instantiate(each) for each in config.callbacks.values()]
    trainer = instantiate(config.trainer, callbacks=callbacks)
    trainer.fit(model, datamodule=data)
    return trainer.callback_metrics[config.optimized_metric].item()


if __name__ == "__main__":
    main()
