#!/usr/bin/env bash
# Runs all tests of the core on another Python, without Home Assistant.
#
#   scripts/lib/test-core.sh VERSION [OPTION...]   with the locked versions of libraries, in .venv-core
#   scripts/lib/test-core.sh lowest [OPTION...]    on the lowest Python with the lowest versions, in .venv-lowest
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
version=${1:?usage: scripts/lib/test-core.sh VERSION|lowest [OPTION...]}
shift
scripts/setup
unset PYTHONDONTWRITEBYTECODE

environment=.venv-lowest
if [ "$version" != lowest ]; then
  environment=.venv-core
  UV_PROJECT_ENVIRONMENT=$environment .venv/bin/uv sync --quiet --locked --no-default-groups --group core-tests --all-extras --python "$version"
  ln -sfn "$PWD/custom_components/zeroconf_ai/core" "$($environment/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/zeroconf_ai"
fi
exec $environment/bin/python -m pytest -n $((3 * $(nproc))) --maxprocesses=8 --dist loadfile --confcutdir=tests/core tests/core "$@"
