import gc
import platform
import subprocess
import sys
import weakref

import pytest

from hpsearch.base.memory import survivors_set_aside

PROGRAM = """
import resource, sys
from hpsearch.base.memory import keep_freed_memory
keeps = sys.argv[1] == "keep" and keep_freed_memory()
bytearray(2**26)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(3):
    bytearray(2**26)[:: 2**12] = b"x" * 2**14
print(keeps, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(way):
    run = subprocess.run([sys.executable, "-c", PROGRAM, way], capture_output=True, text=True, check=True)
    keeps, faults = run.stdout.split()
    return keeps == "True", int(faults)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_a_large_block_is_mapped_once():
    keeps, faults = page_faults("keep")
    assert keeps
    assert faults < 1000
    assert page_faults("give back")[1] > 10 * faults


class Ring:
    """Holds itself."""

    def __init__(self):
        self.itself = self


def is_looked_at(thing):
    return any(each is thing for each in gc.get_objects())


@pytest.fixture
def nothing_set_aside():
    """Let the collector look at everything, and after the test no more at what there is, as before it."""
    gc.unfreeze()
    yield
    gc.freeze()


def test_what_has_survived_a_whole_look_is_not_looked_at_until_the_end(nothing_set_aside):
    kept, dropped, before = Ring(), Ring(), len(gc.callbacks)
    gone = weakref.ref(dropped)
    with survivors_set_aside():
        gc.collect(1)
        assert is_looked_at(kept)
        gc.collect()
        assert not is_looked_at(kept)
        del dropped
        gc.collect()
        assert gone() is not None
        late = weakref.ref(Ring())
        gc.collect()
        assert late() is None
    assert is_looked_at(kept)
    gc.collect()
    assert gone() is None
    assert len(gc.callbacks) == before


def test_what_the_caller_has_set_aside_stays_so(nothing_set_aside):
    kept = Ring()
    gc.freeze()
    with survivors_set_aside():
        gc.collect()
    assert not is_looked_at(kept)
