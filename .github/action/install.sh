#!/usr/bin/env bash
# Installs kplan for action.yml: the release archive of INPUT_VERSION once its checksum is right, else what is built
# from the action's own checkout. GITHUB_OUTPUT gets `program`.
set -euo pipefail
source "$GITHUB_ACTION_PATH/.github/action/problem.sh"

releases=${KPLAN_RELEASES_URL:-https://github.com/kplan-dev/kplan/releases/download}

fail() {
  problem "$1"
  exit 1
}

# fetch URL FILE: false where nothing is there.
fetch() {
  local status=0 code
  code=$(curl --silent --show-error --location --proto-redir '=https' --connect-timeout 20 --retry 3 \
    --output "$2" --write-out '%{http_code}' "$1") || status=$?
  case $status/$code in
    # 000 is no HTTP, as with file:
    0/200 | 0/000) ;;
    0/404 | 37/*) return 1 ;;
    *) fail "cannot fetch $1: curl ended with $status, the server answered $code" ;;
  esac
}

sha256() {
  if command -v sha256sum >/dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d ' ' -f 1
}

# The release of $version for $target, in the working directory; false where there is none.
download() {
  local archive=kplan-v$version-$target.tar.gz
  local url=$releases/v$version/$archive
  [[ -n $target ]] && fetch "$url" "$archive" || return 1
  fetch "$url.sha256" "$archive.sha256" || fail "there is no checksum of $url: $archive.sha256 is not beside it"
  local expected actual
  expected=$(cut -d ' ' -f 1 "$archive.sha256")
  actual=$(sha256 "$archive")
  [[ $expected =~ ^[0-9a-f]{64}$ && $actual == "$expected" ]] ||
    fail "$url has the SHA-256 checksum $actual, and should have $expected"
  tar -xzf "$archive" "$program" || fail "there is no $program in $url"
  [[ $(./"$program" --version) == "kplan $version" ]] || fail "what $url holds is not a kplan $version that runs here"
}

# Builds apart from the user's folder, whose cargo configuration is not ours.
build() {
  command -v cargo >/dev/null || fail "building kplan needs cargo, and there is none in the PATH"
  (cd "$GITHUB_ACTION_PATH" && cargo build --release --locked --bin kplan --target-dir "$here/target") ||
    fail "kplan does not build"
  mv "target/release/$program" .
}

own=$(sed -n '/^version = /{s/.*"\(.*\)".*/\1/p;q;}' "$GITHUB_ACTION_PATH/Cargo.toml")
version=${INPUT_VERSION:-$own}
version=${version#v}
semantic='^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$'
[[ $version == source || $version =~ $semantic ]] || fail "version: \`$version\` is neither as 1.2.3 nor \`source\`"
case $RUNNER_OS in
  Windows) program=kplan.exe ;;
  *) program=kplan ;;
esac
case $RUNNER_OS-$RUNNER_ARCH in
  Linux-X64) target=x86_64-unknown-linux-gnu ;;
  Linux-ARM64) target=aarch64-unknown-linux-gnu ;;
  macOS-X64) target=x86_64-apple-darwin ;;
  macOS-ARM64) target=aarch64-apple-darwin ;;
  Windows-X64) target=x86_64-pc-windows-msvc ;;
  *) target= ;;
esac

# An earlier step of the same job may have installed it.
home=$RUNNER_TEMP/kplan/$version
if [[ ! -x $home/$program ]]; then
  here=$(mktemp -d "$RUNNER_TEMP/kplan-install.XXXXXX")
  cd "$here"
  if [[ $version == source ]]; then
    build
  elif ! download; then
    [[ $version == "$own" ]] || fail "there is no kplan $version for $RUNNER_OS $RUNNER_ARCH at $releases"
    echo "There is no archive of kplan $version for $RUNNER_OS $RUNNER_ARCH at $releases: building it"
    build
  fi
  mkdir -p "$home"
  mv "$program" "$home/"
  cd "$RUNNER_TEMP"
  rm -rf "$here"
fi
echo "program=$home/$program" >>"$GITHUB_OUTPUT"
