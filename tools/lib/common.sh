# Sourced by the scripts in tools/: where things are, and how a step is announced.
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=$top/build/release
bin=$build/bin

# say WORDS...: one line that tells the reader what happens now.
say() {
  if [ -t 1 ]; then printf '\033[1m==> %s\033[0m\n' "$*"; else printf '==> %s\n' "$*"; fi
}

die() {
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

# jobs: how many compilers at once. Each may take 1.5 GiB, so memory bounds them as well as cores do.
jobs_count() {
  local cores memory_kib fits
  cores=$(nproc)
  memory_kib=$(awk '/^MemAvailable:/ {print $2}' /proc/meminfo)
  fits=$((memory_kib / 1500000))
  [ "$fits" -ge 1 ] || fits=1
  echo $((cores < fits ? cores : fits))
}
