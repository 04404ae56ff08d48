"""A script as many people have it: argparse, a DataLoader, StepLR, and a line printed after each epoch."""

import argparse

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def rings(samples):
    ring = torch.arange(samples) % 2
    angle = torch.linspace(0, 40, samples)
    return TensorDataset(torch.stack([angle.cos(), angle.sin()], 1) * (1 + ring)[:, None], ring)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--lr", type=float, default=0.1)
    parser.add_argument("--gamma", type=float, default=0.5)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    train, (inputs_valid, targets_valid) = DataLoader(rings(8000), batch_size=32, shuffle=True), rings(63).tensors
    model = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Dropout(0.1), nn.Linear(16, 2))
    optimizer = torch.optim.SGD(model.parameters(), args.lr, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=args.gamma)
    for epoch in range(1, args.epochs + 1):
        model.train()
        for inputs, targets in train:
            loss = nn.functional.cross_entropy(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        scheduler.step()
        model.eval()
        with torch.no_grad():
            accuracy = (model(inputs_valid).argmax(1) == targets_valid).float().mean()
        print(f"Epoch {epoch}/{args.epochs}: train loss {loss:.4f}, accuracy: {accuracy:.4f}")


if __name__ == "__main__":
    main()
