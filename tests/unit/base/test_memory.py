import platform
import subprocess
import sys

import pytest

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
