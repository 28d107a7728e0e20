# Sourced by the scripts in tools/: where things are, and how a step is announced.
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=$top/build/release
mkdir -p "$build"
bin=$build/bin

# --help, of every script: what stands at its head.
case "${1:-}" in
  -h | --help)
    sed -n '2,/^[^#]/{s/^# \{0,1\}//p}' "$0"
    exit 0
    ;;
esac

# say WORDS...: one line that tells the reader what happens now.
say() {
  if [ -t 1 ]; then printf '\033[1m==> %s\033[0m\n' "$*"; else printf '==> %s\n' "$*"; fi
}

die() {
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

# setup_and_build TARGET...: packages first, then the build, with what only tests need coming in meanwhile:
# $test_parts of tools/setup.
setup_and_build() {
  local npm code=0
  "$top/tools/setup" build
  # shellcheck disable=SC2086 # several words on purpose
  "$top/tools/setup" ${test_parts:-npm} >"$top/build/setup-npm.log" 2>&1 &
  npm=$!
  "$top/tools/build" "$@" || code=$?
  if ! wait "$npm"; then
    cat "$top/build/setup-npm.log"
    die "could not install the packages of the tests"
  fi
  return "$code"
}

# jobs_count: how many compilers at once. Each may take 1.5 GiB, so memory bounds them as well as cores do.
# SLUICE_JOBS says it otherwise.
jobs_count() {
  local cores memory_kib fits
  if [ -n "${SLUICE_JOBS:-}" ]; then echo "$SLUICE_JOBS" && return; fi
  cores=$(nproc)
  memory_kib=$(awk '/^MemAvailable:/ {print $2}' /proc/meminfo)
  fits=$((memory_kib / 1500000))
  [ "$fits" -ge 1 ] || fits=1
  echo $((cores < fits ? cores : fits))
}
