# Shared by tools/run and tools/test, which source it: messages, the packages, the builds.
# Everything here speaks on stderr: stdout belongs to the command that the caller runs in the end.
# shellcheck shell=bash
# shellcheck disable=SC2034  # what is not used here is used there

set -Eeuo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
program=tools/$(basename -- "$0")

say() { printf '%s: %s\n' "$program" "$*" >&2; }
die() { say "error: $*"; exit 1; }

trap 'say "error: line $LINENO of ${BASH_SOURCE[0]#"$root"/} failed: $BASH_COMMAND"' ERR

# What the release preset needs; "a|b" is either of the two, for names that differ between distributions.
build_packages=(
  g++ cmake ninja-build ccache 'pkg-config|pkgconf' python3
  liburing-dev libssl-dev zlib1g-dev libidn2-dev 'libllhttp-dev|node-llhttp'
  libbrotli-dev libzstd-dev libisal-dev
  libcli11-dev nlohmann-json3-dev libboost-dev libgtest-dev libbenchmark-dev libcurl4-openssl-dev
)
# What the tests need besides: the clang presets, and origins that are not ours.
test_packages=('clang-14|clang' 'libclang-rt-14-dev|libclang-rt-dev' 'llvm-14|llvm' curl nginx-light nodejs openssl)

# quietly <log> <command>...: the output goes to build/<log>, and is shown only when the command fails.
quietly() {
  local log=$root/build/$1
  shift
  mkdir -p "$(dirname -- "$log")"
  "$@" >"$log" 2>&1 || {
    cat -- "$log" >&2
    return 1
  }
}

is_installed() { [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }

is_available() { apt-cache show --no-all-versions "$1" &>/dev/null; }

# any_of <test> <a|b>: prints the first of the alternatives that passes the test.
any_of() {
  local names name
  IFS='|' read -ra names <<<"$2"
  for name in "${names[@]}"; do
    if "$1" "$name"; then
      echo "$name"
      return
    fi
  done
  return 1
}

as_root() {
  if ((EUID == 0)); then
    "$@"
  else
    sudo "$@"
  fi
}

apt_get() {
  quietly install.log as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 "$@"
}

# install_packages <package>...: installs those that are missing, and asks for no privilege when none is.
install_packages() {
  local wanted name missing=() chosen=()
  if ! command -v apt-get >/dev/null; then
    say "no apt-get here: going on as if these were installed: $*"
    return
  fi
  for wanted in "$@"; do
    any_of is_installed "$wanted" >/dev/null || missing+=("$wanted")
  done
  ((${#missing[@]})) || return 0
  ((EUID == 0)) || command -v sudo >/dev/null ||
    die "these packages are missing, and installing them takes root or sudo: ${missing[*]}"

  say "updating the package lists"
  apt_get update || die "apt-get update failed: is the network there?"
  for wanted in "${missing[@]}"; do
    name=$(any_of is_available "$wanted") || die "no package named $wanted in this distribution"
    chosen+=("$name")
  done
  say "installing ${chosen[*]}"
  apt_get install --yes --no-install-recommends "${chosen[@]}" || die "apt-get install failed"
  case " ${chosen[*]} " in *' nginx-light '*) stop_nginx_service ;; esac
}

# The package starts and enables a service on port 80; the tests only want the program.
stop_nginx_service() {
  say "turning the nginx service off that came with the package"
  as_root invoke-rc.d nginx stop &>/dev/null || true
  as_root update-rc.d nginx disable &>/dev/null || true
}

check_compiler() {
  local version
  version=$(g++ -dumpversion) || die "g++ not found"
  ((${version%%.*} >= 12)) || die "g++ 12 or newer is needed, this one is $version"
}

# configure <preset>: runs CMake once per build folder; from then on the build itself notices changes,
# except those of the presets.
configure() {
  local preset=$1 folder=$root/build/$1 options=()
  [[ $folder/build.ninja -nt $root/CMakePresets.json ]] && return
  # The presets name the clang of Debian 12; elsewhere the distribution's own will do.
  if [[ $preset == clang* ]] && ! command -v clang++-14 >/dev/null; then
    options+=(-DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++)
  fi
  if command -v ccache >/dev/null; then
    options+=(-DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
  fi
  say "configuring $preset"
  quietly "$preset-configure.log" cmake -S "$root" --preset "$preset" "${options[@]}" ||
    die "configuring $preset failed"
}

# build <preset> [target]...: configures when needed, then builds at low priority.
build() {
  local preset=$1 targets=()
  shift
  (($#)) && targets=(--target "$@")
  configure "$preset"
  say "building $preset"
  nice cmake --build "$root/build/$preset" "${targets[@]}" -- --quiet >&2 || die "building $preset failed"
}
