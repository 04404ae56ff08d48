"""The loop a careful user writes by hand with plain torch: the yardstick of the benchmarks.

It does what a trial does, step for step: data on the device, an epoch's permutation, the same batches and updates,
the running loss and accuracy, and an evaluation of the validation split on the untrained model, after each epoch, and
after those updates near the end that make a trial's score.
"""

from collections.abc import Collection
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import Optimizer


@dataclass(frozen=True)
class Curve:
    """What the loop recorded: one value per epoch; the validation columns start with the untrained model."""

    train_loss: list[float]
    train_acc: list[float]
    valid_loss: list[float]
    valid_acc: list[float]


def evaluate(model: nn.Module, loss_fn: nn.Module, x: Tensor, y: Tensor, batch_size: int) -> tuple[float, float]:
    """Return mean loss and accuracy over a split."""
    model.eval()
    loss_sum = correct = torch.zeros((), device=x.device)
    with torch.no_grad():
        for xb, yb in zip(x.split(batch_size), y.split(batch_size), strict=True):
            logits = model(xb)
            loss_sum = loss_sum + loss_fn(logits, yb) * len(yb)
            correct = correct + (logits.argmax(1) == yb).sum()
    return loss_sum.item() / len(y), correct.item() / len(y)


def train(
    model: nn.Module,
    optimizer: Optimizer,
    loss_fn: nn.Module,
    train: tuple[Tensor, Tensor],
    valid: tuple[Tensor, Tensor],
    batch_size: int,
    epochs: int,
    eval_batch_size: int,
    evaluated: Collection[int] = (),
    seed: int = 0,
) -> Curve:
    """Train a classifier and return its learning curve; `evaluated` are updates after which it is evaluated too."""
    x, y = train
    order = torch.Generator().manual_seed(seed)
    valid_loss, valid_acc = evaluate(model, loss_fn, *valid, eval_batch_size)
    curve, step = Curve([], [], [valid_loss], [valid_acc]), 0
    for _ in range(epochs):
        model.train()
        loss_sum = correct = torch.zeros((), device=x.device)
        for rows in torch.randperm(len(x), generator=order).to(x.device).split(batch_size):
            xb, yb = x.index_select(0, rows), y.index_select(0, rows)
            optimizer.zero_grad()
            logits = model(xb)
            loss = loss_fn(logits, yb)
            loss.backward()
            optimizer.step()
            loss_sum = loss_sum + loss.detach() * len(yb)
            correct = correct + (logits.argmax(1) == yb).sum()
            step += 1
            if step in evaluated:
                evaluate(model, loss_fn, *valid, eval_batch_size)
                model.train()
        valid_loss, valid_acc = evaluate(model, loss_fn, *valid, eval_batch_size)
        curve.train_loss.append(loss_sum.item() / len(x))
        curve.train_acc.append(correct.item() / len(x))
        curve.valid_loss.append(valid_loss)
        curve.valid_acc.append(valid_acc)
    return curve
