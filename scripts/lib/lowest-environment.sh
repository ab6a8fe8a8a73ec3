#!/usr/bin/env bash
# Makes .venv-lowest: the lowest Python that the package runs on and can be had here, with the lowest versions of
# its libraries (tests/core/lowest.txt).
#
# Python is looked for in PATH, among pyenv's, uv's builds and, for 3.13, in Debian 13 (unpacked in a private folder). Where none can
# be had, it is the one of .venv. Needs uv and patchelf in PATH. Called by scripts/setup.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. scripts/lib/debian-testing.sh
. scripts/lib/other-python.sh

folder=${XDG_CACHE_HOME:-$HOME/.cache}/zeroconf-ai/python-3.13

# Prints the path of the lowest one.
lowest_python() {
  local version
  for version in 3.12 3.13; do
    if other_python "$version"; then return; fi
  done
  if is_python "$folder/usr/bin/python3.13" 3.13 || { command -v apt-get >/dev/null && debian_python trixie 3.13 "$folder" >&2; }; then
    echo "$folder/usr/bin/python3.13"; return
  fi
  echo "scripts/setup: neither Python 3.12 nor 3.13 can be had: the lowest versions of libraries are tested with 3.14" >&2
  echo .venv/bin/python
}

.venv-lowest/bin/python -c '' 2>/dev/null || uv venv --quiet --clear --python "$(lowest_python)" .venv-lowest
VIRTUAL_ENV=$PWD/.venv-lowest uv pip sync --quiet --only-binary :all: tests/core/lowest.txt
# The package `zeroconf_ai`, from the source folder.
ln -sfn "$PWD/custom_components/zeroconf_ai/core" "$(.venv-lowest/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/zeroconf_ai"
