# Shared by ./bouton, ./test and .ci/run (sourced, bash): installs missing packages, configures, builds. Sets `build`.
# Says nothing when there is nothing to do.

say() { printf '%s: %s\n' "$program" "$*" >&2; }
fail() { say "$*"; exit 2; }

# Ends with one sentence, the log's end and its path.
fail_with_log() {   # sentence log
  { grep -nE '(^|[ :])(error|FAILED|E|fatal)(:| )' "$2" | head -n 8 || true; echo '  ...'; tail -n 12 "$2"; } | sed 's/^/  | /' >&2
  fail "$1 (the whole log: $2)"
}

# Packages of the sections named that are missing, one a line.
missing_packages() {   # sections...
  local section package mark tool wanted=()
  while read -r section package mark tool; do
    [[ $section && " $* " == *" $section "* ]] || continue
    [[ $mark == '?' ]] && command -v "$tool" > /dev/null && continue
    wanted+=("$package")
  done < "$root/scripts/packages.txt"
  declare -A here=()
  while read -r status package; do
    [[ $status == ii ]] && here[$package]=1
  done < <(dpkg-query -W -f='${db:Status-Abbrev} ${Package}\n' "${wanted[@]}" 2> /dev/null)
  for package in "${wanted[@]}"; do
    [[ ${here[$package]:-} ]] || printf '%s\n' "$package"
  done
}

install_packages() {   # sections...
  [[ ${BOUTON_SKIP_PACKAGES:-} ]] && return
  if ! command -v dpkg-query > /dev/null; then
    fail "this is not a Debian system: install the packages of scripts/packages.txt by your own means, then run with BOUTON_SKIP_PACKAGES=1"
  fi
  local missing as_root=()
  mapfile -t missing < <(missing_packages "$@")
  ((${#missing[@]})) || return 0
  if (($(id -u) != 0)); then
    if command -v sudo > /dev/null && { sudo -n true 2> /dev/null || [[ -t 0 && -t 2 ]]; }; then
      as_root=(sudo)
    else
      fail "packages are missing and only root may install them: run  apt-get install --no-install-recommends ${missing[*]}  as root, then this again"
    fi
  fi
  local log="$build/install.log" started=$SECONDS
  say "installing ${#missing[@]} Debian packages: ${missing[*]}"
  {
    "${as_root[@]}" env LC_ALL=C DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=600 update || true
    "${as_root[@]}" env LC_ALL=C DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=600 \
      -o Dpkg::Use-Pty=0 install --no-install-recommends "${missing[@]}"
  } < /dev/null > "$log" 2>&1 || fail_with_log "apt-get could not install: ${missing[*]}" "$log"
  say "installed in $((SECONDS - started)) s"
}

# Compilers at once: as many as cores, but a unit over LibTorch's headers takes 1.5 GB.
build_jobs() {
  if [[ ${BOUTON_BUILD_JOBS:-} ]]; then echo "$BOUTON_BUILD_JOBS"; return; fi
  local cores available limit
  cores=$(nproc)
  available=$(awk '/^MemAvailable:/ {print int($2 / 1024)}' /proc/meminfo)
  limit=$(cat /sys/fs/cgroup/memory.max 2> /dev/null || echo max)
  [[ $limit =~ ^[0-9]+$ ]] && ((limit / 1048576 < available)) && available=$((limit / 1048576))
  local jobs=$((available / 1600))
  ((jobs > cores)) && jobs=$cores
  ((jobs < 1)) && jobs=1
  echo "$jobs"
}

# A build is of one place, one set of presets and, since it is tuned for it, one processor.
build_identity() {
  printf '%s\n' "$root" "${CXX:-}"
  cksum < "$root/CMakePresets.json"
  grep -m1 -E '^(flags|Features)' /proc/cpuinfo | cksum || true
}

configure() {
  local identity before log="$build/configure.log"
  identity=$(build_identity)
  before=$(cat "$build/.identity" 2> /dev/null || true)
  [[ -f $build/build.ninja && $before == "$identity" ]] && return
  say "configuring in $build"
  (cd "$root" && cmake --preset release --fresh -B "$build") < /dev/null > "$log" 2>&1 ||
    fail_with_log "cmake could not configure the build" "$log"
  if [[ $before && $before != "$identity" ]]; then   # made for another place or processor
    ninja -C "$build" -t clean >> "$log" 2>&1 || fail_with_log "the build folder of another machine could not be cleaned" "$log"
  fi
  printf '%s\n' "$identity" > "$build/.identity"
}

# Ninja's lines become one line that moves on a terminal, or a first and a last line elsewhere.
show_progress() {   # what it builds
  local line started='' begun=$SECONDS
  while IFS= read -r line; do
    printf '%s\n' "$line" >&3
    [[ $line =~ ^\[([0-9]+)/([0-9]+)\]\ (.*) && ${BASH_REMATCH[3]} != Re-checking* && ${BASH_REMATCH[3]} != *Re-checking* ]] || continue
    if [[ ! $started ]]; then
      started=1
      say "building $1 with $jobs compiler(s) at once, minutes the first time"
    fi
    [[ -t 2 ]] && printf '\r\033[K  %s of %s' "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}" >&2
  done
  [[ $started && -t 2 ]] && printf '\r\033[K' >&2
  [[ $started ]] && say "building ended after $((SECONDS - begun)) s"
  return 0
}

run_ninja() {   # ninja targets...
  local log="$build/build.log" jobs
  jobs=$(build_jobs)
  { ninja -C "$build" -j "$jobs" "$@" 2>&1 < /dev/null | show_progress "${*:-everything}"; } 3> "$log" ||
    fail_with_log "the build failed" "$log"
}

# prepare SECTIONS -- TARGETS: everything up to a built program. One launcher at a time works on a build folder.
prepare() {
  local sections=() lock
  while [[ $1 != -- ]]; do sections+=("$1"); shift; done
  shift
  build=${BOUTON_BUILD_DIR:-$root/build/release}
  mkdir -p "$build" 2> /dev/null || fail "cannot write to the build folder $build; name another with BOUTON_BUILD_DIR"
  build=$(cd "$build" && pwd -P)
  { exec {lock}> "$build/.lock"; } 2> /dev/null || fail "cannot write to the build folder $build; name another with BOUTON_BUILD_DIR"
  if ! flock -n "$lock"; then
    say "waiting for another build in $build"
    flock "$lock"
  fi
  install_packages "${sections[@]}"
  configure
  run_ninja "$@"
  exec {lock}>&-
}
