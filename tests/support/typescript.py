"""The TypeScript client, built from its source, and programs that use it."""

import os
from pathlib import Path
import subprocess
import sys
import tempfile

FOLDER = Path(__file__).parents[2] / "clients" / "typescript"
NODE = Path(sys.prefix) / "bin" / "node"
COMPILER = (str(NODE), str(FOLDER / "node_modules" / "typescript" / "bin" / "tsc"))


def build() -> None:
    """Compile the client unless that has been done. Raises CalledProcessError with the compiler's messages as output."""
    source, made = FOLDER / "src", FOLDER / "dist"
    built = {file.stem: file.stat().st_mtime for file in made.glob("*.js")}
    if all(built.get(file.stem, 0.0) > file.stat().st_mtime for file in source.iterdir()):
        return
    made.mkdir(exist_ok=True)
    # In a new folder whose files then take the place of the former: another test may use those at this moment.
    with tempfile.TemporaryDirectory(dir=FOLDER / "node_modules") as fresh:
        command = [*COMPILER, "-p", "tsconfig.build.json", "--outDir", fresh]
        subprocess.run(command, cwd=FOLDER, check=True, capture_output=True, text=True)
        for file in Path(fresh).iterdir():
            os.replace(file, made / file.name)  # noqa: PTH105 - it replaces an existing file on all systems


def program(source: str) -> list[str]:
    """The command that runs a TypeScript program, from `FOLDER`, where it finds the client and the libraries."""
    return [str(NODE), "--input-type=module-typescript", "--eval", source]
