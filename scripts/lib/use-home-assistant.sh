#!/usr/bin/env bash
# Installs another Home Assistant into .venv for a test: `minimum` (the minimum of hacs.json), `newest` or `pre-release`.
#
# To restore the locked version: rm .venv/.setup-done && scripts/setup
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
scripts/setup

python=.venv/bin/python
options=(--quiet --python "$python")
case ${1-} in
  minimum)
    version=$($python -c 'import json; print(json.load(open("hacs.json"))["homeassistant"])')
    requirement=homeassistant==$version
    ;;
  newest) requirement=homeassistant ;;
  pre-release)
    requirement=homeassistant
    options+=(--prerelease allow)
    ;;
  *) echo "usage: scripts/lib/use-home-assistant.sh minimum|newest|pre-release" >&2; exit 2 ;;
esac

# Each version of the test plugin supports one version; the resolver finds the pair.
.venv/bin/uv pip install "${options[@]}" --upgrade-package homeassistant --upgrade-package pytest-homeassistant-custom-component \
  "$requirement" pytest-homeassistant-custom-component
# What its components pin: the packages of pyproject's group `home`, in this Home Assistant's versions.
mapfile -t packages < <($python -c 'import re, tomllib
for item in tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"]["home"]:
    print(re.split("[=<>~ ]", item)[0])')
constraints=$($python -c 'import homeassistant; print(homeassistant.__path__[0] + "/package_constraints.txt")')
.venv/bin/uv pip install "${options[@]}" --constraint "$constraints" "${packages[@]}"
$python -c 'from homeassistant.const import __version__; print("Home Assistant", __version__)'
