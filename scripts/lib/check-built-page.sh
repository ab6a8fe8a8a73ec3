#!/usr/bin/env bash
# Fails if the committed files of the page are not those that its source in frontend/ makes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../frontend"
export PATH=$PWD/../.venv/bin:$PATH
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
npx --no-install vite build --logLevel error --outDir "$made"
if ! diff -r "$made" ../custom_components/zeroconf_ai/core/server/administration/files; then
  echo "the page is outdated: run npm run build in frontend/" >&2
  exit 1
fi
