"""The types of the examples of docs/typescript.md; tests/e2e/test_documented_clients.py runs them."""

from pathlib import Path
import re
import shutil
import subprocess

from ...support.typescript import COMPILER, FOLDER, build

EXAMPLES = re.findall(r"```ts\n(.*?)```", (Path(__file__).parents[3] / "docs" / "typescript.md").read_text(), re.DOTALL)


def test_typescript_examples_have_the_right_types(tmp_path: Path) -> None:
    """Node only leaves types out; the compiler checks them."""
    build()
    folder = FOLDER / f"documented-{tmp_path.name}"
    folder.mkdir()
    try:
        for number, example in enumerate(EXAMPLES):
            (folder / f"example{number}.ts").write_text(f"{example}\nexport {{}};\n")
        config = '{"extends": "../tsconfig.json", "include": ["."]}'
        (folder / "tsconfig.json").write_text(config)
        done = subprocess.run([*COMPILER, "-p", str(folder)], cwd=FOLDER, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (0, "")
    finally:
        shutil.rmtree(folder)
