#!/usr/bin/env bash
# Fails if the committed files of the page are not those that its source in frontend/ makes, or are too large.
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

# A browser gets the files compressed; half of it is the library of the charts, which only the tab with charts loads.
limit=150000
compressed=0
for file in "$made"/*; do
  compressed=$((compressed + $(gzip -9 -c "$file" | wc -c)))
done
if [ "$compressed" -gt "$limit" ]; then
  echo "the page has $compressed bytes with gzip, of which $limit are allowed" >&2
  exit 1
fi
