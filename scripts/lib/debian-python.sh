# shellcheck shell=bash
# Python 3.14 from Debian testing's packages, unpacked into one private folder: nothing of the system changes.
#
# The interpreter is told (patchelf) to use the libc and the libraries that were unpacked beside it, so it runs on an
# older Debian whose own libc stays as it is. Sourced by scripts/setup; needs apt, dpkg and a `patchelf` on PATH.

# debian_python FOLDER: unpack a working usr/bin/python3.14 into FOLDER.
debian_python() {
  local folder=$1 suite=forky arch multiarch mirror work loader python
  local packages=(
    python3.14 python3.14-minimal libpython3.14-minimal libpython3.14-stdlib
    libc6 libssl3t64 libffi8 libsqlite3-0 zlib1g libexpat1 libbz2-1.0 liblzma5
    libncursesw6 libtinfo6 libreadline8t64 libuuid1 libzstd1 libdb5.3t64
    libpython3.14-dev # headers: two of Assist's requirements have no wheel for 3.14 and are compiled
  )
  arch=$(dpkg --print-architecture)
  case $arch in
    amd64) multiarch=x86_64-linux-gnu ;;
    arm64) multiarch=aarch64-linux-gnu ;;
    *) echo "scripts/setup: no recipe for Python 3.14 on $arch; install python3.14 yourself and run this again" >&2; return 1 ;;
  esac

  # The mirror this system already uses for Debian itself (not security updates, not third parties).
  # shellcheck disable=SC2016 # apt-get fills the fields in, not the shell
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -E '/debian/?$' | head -n 1)
  [ -n "$mirror" ] || { echo "scripts/setup: apt knows no Debian mirror here; install python3.14 yourself and run this again" >&2; return 1; }

  work=$folder.apt
  rm -rf "$folder" "$work"
  mkdir -p "$work"/{lists/partial,cache/archives/partial,debs,etc} "$folder"
  : >"$work/status"
  cat >"$work/sources.list" <<SOURCES
deb $mirror $suite main
SOURCES
  cat >"$work/apt.conf" <<CONF
Dir::Etc::sourcelist "$work/sources.list";
Dir::Etc::sourceparts "$work/etc";
Dir::State::lists "$work/lists";
Dir::State::status "$work/status";
Dir::Cache "$work/cache";
APT::Architecture "$arch";
APT::Sandbox::User "root";
Acquire::Languages "none";
CONF
  # Each step for itself: a caller that asks whether this worked switches `set -e` off in here.
  APT_CONFIG=$work/apt.conf apt-get -qq update || return 1
  (cd "$work/debs" && APT_CONFIG=$work/apt.conf apt-get -qq download "${packages[@]}") || return 1
  local deb
  for deb in "$work"/debs/*.deb; do dpkg -x "$deb" "$folder" || return 1; done

  python=$folder/usr/bin/python3.14
  loader=$(find "$folder" -name 'ld-linux-*.so.*' -not -type d | head -n 1)
  [ -n "$loader" ] || { echo "scripts/setup: Debian's libc6 brought no dynamic loader" >&2; return 1; }
  patchelf --set-interpreter "$loader" "$python" || return 1
  patchelf --force-rpath --set-rpath "$folder/usr/lib/$multiarch:$folder/lib/$multiarch" "$python" || return 1
  rm -rf "$work"
  "$python" -c 'import ctypes, hashlib, sqlite3, ssl, sys; assert sys.version_info >= (3, 14, 2), sys.version'
}
