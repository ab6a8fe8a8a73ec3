# shellcheck shell=bash
# Packages of another Debian, each set unpacked into a separate private folder: the system is not changed.
#
# patchelf makes an unpacked program use the libc and libraries beside it, so that it runs on an older Debian
# with another libc. Sourced by scripts/setup; needs apt, dpkg and a `patchelf` on PATH.

# multiarch_name: Debian's name of this machine's architecture, as in /usr/lib. Fails for unsupported ones.
multiarch_name() {
  case $(dpkg --print-architecture) in
    amd64) echo x86_64-linux-gnu ;;
    arm64) echo aarch64-linux-gnu ;;
    *) echo "scripts/setup: no recipe for $(dpkg --print-architecture)" >&2; return 1 ;;
  esac
}

# unpack_debian SUITE FOLDER PACKAGE...: unpack these packages of a release of Debian into FOLDER, which is created again.
unpack_debian() {
  local suite=$1 folder=$2 mirror work deb
  shift 2

  # The mirror this system already uses for Debian itself (not security updates, not third parties).
  # shellcheck disable=SC2016 # apt-get fills the fields in, not the shell
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -E '/debian/?$' | head -n 1)
  [ -n "$mirror" ] || { echo "scripts/setup: apt knows no Debian mirror here" >&2; return 1; }

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
APT::Architecture "$(dpkg --print-architecture)";
APT::Sandbox::User "root";
Acquire::Languages "none";
CONF
  # Each step for itself: a caller that asks whether this worked switches `set -e` off in here.
  APT_CONFIG=$work/apt.conf apt-get -qq update || return 1
  (cd "$work/debs" && APT_CONFIG=$work/apt.conf apt-get -qq download "$@") || return 1
  for deb in "$work"/debs/*.deb; do dpkg -x "$deb" "$folder" || return 1; done
  rm -rf "$work"
}

# patch_program FOLDER PROGRAM LIBRARIES...: make FOLDER/PROGRAM use the libc in FOLDER and the libraries in these folders of it.
patch_program() {
  local folder=$1 program=$1/$2 loader library path=
  shift 2
  loader=$(find "$folder" -name 'ld-linux-*.so.*' -not -type d | head -n 1)
  [ -n "$loader" ] || { echo "scripts/setup: Debian's libc6 brought no dynamic loader" >&2; return 1; }
  patchelf --set-interpreter "$loader" "$program" || return 1
  for library in "$@"; do path+=${path:+:}$folder/$library; done
  patchelf --force-rpath --set-rpath "$path" "$program" || return 1
}

# debian_python SUITE VERSION FOLDER: unpack a working usr/bin/pythonVERSION into FOLDER.
debian_python() {
  local suite=$1 version=$2 folder=$3 multiarch
  multiarch=$(multiarch_name) || return 1
  # The -dev package has the headers: two of Assist's requirements have no wheel for 3.14 and are compiled.
  unpack_debian "$suite" "$folder" \
    "python$version" "python$version-minimal" "libpython$version-minimal" "libpython$version-stdlib" "libpython$version-dev" \
    libc6 libssl3t64 libffi8 libsqlite3-0 zlib1g libexpat1 libbz2-1.0 liblzma5 \
    libncursesw6 libtinfo6 libreadline8t64 libuuid1 libzstd1 libdb5.3t64 || return 1
  patch_program "$folder" "usr/bin/python$version" "usr/lib/$multiarch" "lib/$multiarch" || return 1
  "$folder/usr/bin/python$version" -c 'import ctypes, hashlib, sqlite3, ssl'
}

# debian_llama FOLDER: unpack a working usr/bin/llama-server into FOLDER.
debian_llama() {
  local folder=$1 multiarch library
  multiarch=$(multiarch_name) || return 1
  unpack_debian forky "$folder" llama.cpp-tools libllama0 libggml0 libgomp1 libstdc++6 libgcc-s1 libc6 libssl3t64 libzstd1 zlib1g || return 1
  patch_program "$folder" usr/bin/llama-server "usr/lib/$multiarch" "usr/lib/$multiarch/llama" || return 1
  for library in "$folder/usr/lib/$multiarch"/lib{llama,mtmd}*.so.* "$folder/usr/lib/$multiarch"/llama/*.so; do
    # A library that has a search path of its own does not use the program's.
    patchelf --remove-rpath "$library" || return 1
  done
  # It looks for the code for each kind of processor in the system's folder and in its own.
  for library in "$folder/usr/lib/$multiarch"/ggml/backends*/*.so; do
    ln -s "$library" "$folder/usr/bin/" || return 1
  done
  "$folder/usr/bin/llama-server" --version 2>/dev/null
}
