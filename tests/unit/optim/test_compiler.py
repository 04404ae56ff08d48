import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
CODE = """
import sys
import torch
from hpsearch.optim.compiler import NAME, postpone_compiler

postpone_compiler()
stand_in = sys.modules[NAME]

def parts():
    return [name for name in sys.modules if name.startswith(NAME + ".")]

def trained():
    torch.manual_seed(0)
    losses = []
    for made in (torch.optim.SGD, torch.optim.Adam, torch.optim.RMSprop):
        model = torch.nn.Linear(3, 1)
        optimizer = made(model.parameters(), lr=0.1)
        for _ in range(3):
            optimizer.zero_grad()
            loss = model(torch.ones(2, 3)).square().mean()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        optimizer.load_state_dict(optimizer.state_dict())
    return losses

before = trained()
assert not parts() and hasattr(stand_in, "__file__"), parts()

import torch._dynamo.config as config
real = sys.modules[NAME]
assert real is not stand_in and torch._dynamo is real and "eval_frame" in vars(real)
assert real.eval_frame.config is real.config is config is sys.modules[config.__name__]
assert config.__spec__.loader.path == config.__file__
assert not [finder for finder in sys.meta_path if "compiler" in type(finder).__module__]
postpone_compiler()
assert sys.modules[NAME] is real

calls = []
def plain(x):
    return (2 * x).sin()
compiled = torch.compile(plain, backend=lambda graph, _: calls.append(graph) or graph.forward)
assert torch.equal(compiled(torch.ones(2)), plain(torch.ones(2))) and len(calls) == 1
assert trained() == before
assert stand_in.disable(plain, wrapping=False)(torch.ones(2)).shape == (2,) and stand_in.optimize is real.optimize
print("done")
"""


def test_optimizers_do_without_the_compiler_and_it_is_whole_when_it_is_needed():
    done = subprocess.run([sys.executable, "-c", CODE], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "done\n", done.stderr


def test_a_trial_loads_no_compiler(tmp_path):
    code = (
        "import sys, hpsearch\n"
        "hpsearch.run_trial(['trainer.epochs=1', 'data.batch_size=16', 'tracker=none', 'launcher=inline'])\n"
        "print([name for name in sys.modules if name.startswith(('torch._dynamo.', 'torch._inductor'))])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines()[-1:] == ["[]"], done.stdout + done.stderr
