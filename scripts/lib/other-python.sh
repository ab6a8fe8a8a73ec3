# shellcheck shell=bash
# Finds other versions of Python than the one of .venv. Sourced by scripts/setup and scripts/lib/lowest-environment.sh; needs uv in PATH.

# is_python PYTHON VERSION: whether it runs and has this version.
is_python() { "$1" -c "import ssl, sqlite3, sys; sys.exit(sys.version_info[:2] != (${2/./, }))" 2>/dev/null; }

# other_python VERSION: print the path of this version, from PATH, pyenv or uv's builds. Fails where none of them has it.
other_python() {
  local version=$1 python
  for python in "$(command -v "python$version")" "$HOME/.pyenv/versions/$version".*/bin/python; do
    if is_python "$python" "$version"; then echo "$python"; return; fi
  done
  uv python install --quiet "$version" 2>/dev/null && uv python find --managed-python "$version" 2>/dev/null
}
