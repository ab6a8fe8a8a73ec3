"""One target with atheris, which finds inputs by the branches that they reach: `python -m fuzz.guided TARGET OPTIONS… CORPUS`.

The options are libFuzzer's. It ends with an exit code other than 0 where an input fails, and writes that input to a file.
"""

from pathlib import Path
import sys

import atheris

with atheris.instrument_imports(include=["zeroconf_ai"]):
    from .targets import TARGETS


def main() -> None:
    """Never returns."""
    name = sys.argv.pop(1)
    corpus, target = Path(sys.argv[-1]), TARGETS[name]
    for number, example in enumerate(target.examples):
        (corpus / f"example-{number}").write_bytes(example)
    atheris.Setup(sys.argv, target.run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
