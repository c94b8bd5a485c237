#!/usr/bin/env bash
# launcher_test.sh ROOT WORK: ./bouton with stand-ins for apt, cmake and ninja, in a folder whose name has spaces.
set -euo pipefail
root=$1
work="$2/a folder"
rm -rf "$2"
mkdir -p "$work/tree/scripts" "$work/tools"
cp "$root/bouton" "$work/tree/"
cp "$root/scripts/launch.sh" "$root/scripts/packages.txt" "$work/tree/scripts/"
cp "$root/CMakePresets.json" "$work/tree/"

failures=0
expect() {   # what it proves, expected exit code, pattern the output must match
  local code=0 text
  text=$(cd / && PATH="$work/tools:/usr/bin:/bin" BOUTON_BUILD_DIR="$work/tree/build" "$work/tree/bouton" "two words" 2>&1 < /dev/null) || code=$?
  if [[ $code != "$2" || ! $text =~ $3 ]]; then
    printf 'FAILED: %s\n  exit code %s, expected %s; expected text: %s\n  text: %s\n' "$1" "$code" "$2" "$3" "$text"
    failures=1
  fi
  output=$text
}
tool() {   # name, body
  printf '#!/bin/bash\n%s\n' "$2" > "$work/tools/$1"
  chmod +x "$work/tools/$1"
}

all_installed='shift 2; for package; do echo "ii  $package"; done'
tool dpkg-query "$all_installed"
tool apt-get 'echo "E: no network" ; exit 100'
tool sudo 'exit 1'
tool cmake 'while [[ $1 != -B ]]; do shift; done; touch "$2/build.ninja"'
tool ninja 'shift; mkdir -p "$1/bin"; printf "#!/bin/bash\necho \"run [\$*] \$OMP_WAIT_POLICY\"\n" > "$1/bin/bouton"; chmod +x "$1/bin/bouton"; echo "ninja: no work to do."'

expect "a first run configures, builds and hands the words on" 0 "run \[two words\] passive"
expect "an up-to-date tree says nothing of its own" 0 "^run \[two words\] passive$"

tool dpkg-query 'exit 1'
expect "a failed installation names the packages and the log" 2 "apt-get could not install: .*libtorch-dev.*install.log"
[[ $output == *"E: no network"* ]] || { echo "FAILED: the end of the log is not shown"; failures=1; }

tool id 'echo 1000'
expect "without root and sudo it says what to run" 2 "only root may install them: run  apt-get install --no-install-recommends .*libtorch-dev"
rm "$work/tools/id"

tool dpkg-query "$all_installed"
tool cmake 'echo "CMake Error: no compiler"; exit 1'
rm "$work/tree/build/build.ninja"
expect "a failed configure step shows why" 2 "CMake Error: no compiler.*cmake could not configure the build \(the whole log: .*configure.log\)"

tool cmake 'while [[ $1 != -B ]]; do shift; done; touch "$2/build.ninja"'
tool ninja 'echo "[1/2] Building CXX object a.o"; echo "FAILED: a.o"; echo "a.cpp:3:1: error: expected a semicolon"; exit 1'
expect "a failed build shows the compiler's error" 2 "expected a semicolon.*the build failed \(the whole log: .*build.log\)"

# Two launchers at once: the second waits for the first, and the build folder is never in two hands.
tool ninja 'shift; [[ -e $1/busy ]] && echo clash >> "$1/clash"; touch "$1/busy"; sleep 0.3; rm "$1/busy"; mkdir -p "$1/bin"; printf "#!/bin/bash\n" > "$1/bin/bouton"; chmod +x "$1/bin/bouton"'
for _ in 1 2 3; do
  PATH="$work/tools:/usr/bin:/bin" BOUTON_BUILD_DIR="$work/tree/build" "$work/tree/bouton" > /dev/null 2>&1 < /dev/null &
done
wait
[[ ! -e $work/tree/build/clash ]] || { echo "FAILED: two launchers built at once"; failures=1; }

rm -rf "$2"
exit "$failures"
