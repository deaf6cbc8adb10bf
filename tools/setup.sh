#!/usr/bin/env bash
# Installs what this machine lacks; does nothing, without network, when all is there.
#   tools/setup.sh        for building and testing: Debian packages, and the sources of the two crypto libraries for
#                         WebAssembly (into build/deps). A node that is installed already is used as it is.
#   tools/setup.sh browser   for building: the two npm packages of the browser's scripts (into browser/node_modules)
#   tools/setup.sh npm    for testing: npm packages (into node_modules)
#   tools/setup.sh p2pd   for testing against libp2p's interop suite: Node 22 and js-libp2p 3 (into tests/interop/p2pd/node_modules)
#   tools/setup.sh transport  for the transport test: Redis and its client library
#   tools/setup.sh bench  for benchmarks: nginx, wrk, and the peers from npm (into bench/node_modules), built
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p build/deps
[ -n "${SETUP_ALONE:-}" ] || SETUP_ALONE=1 exec flock -o build/deps "tools/${0##*/}" "$@" # one at a time

packages="
    clang clang-tidy clang-format lld llvm make git
    wasi-libc libclang-rt-14-dev libclang-rt-14-dev-wasm32
    libsodium-dev libsecp256k1-dev libuv1-dev node-llhttp libwslay-dev libsqlite3-dev libssl-dev libusrsctp-dev zlib1g-dev
    chromium iproute2 nftables jq curl sqlite3 ca-certificates dpkg-dev xz-utils procps
"
deps=$PWD/build/deps

say() { printf 'setup: %s\n' "$*"; }
die() {
    printf 'setup: %s\n' "$*" >&2
    exit 1
}

# Runs a command quietly; shows the end of what it said only when it fails.
quietly() {
    "$@" >>"$log" 2>&1 </dev/null && return
    tail -n 20 "$log" >&2
    die "failed: $* (all of it in ${log#"$PWD"/})"
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "this must be run as root, or sudo be installed: $*"
    fi
}

has_package() { dpkg -s "$1" 2>/dev/null | grep -q '^Status: install ok installed'; }

bench_packages="nginx wrk g++ python3"
transport_packages="redis-server libhiredis-dev"

missing_packages() {
    for p in $packages; do has_package "$p" || echo "$p"; done
    command -v node >/dev/null || echo nodejs
    command -v npm >/dev/null || echo npm
}

install_packages() {
    local missing
    missing=$(missing_packages | sort -u | tr '\n' ' ')
    [ -n "$missing" ] || return 0
    command -v apt-get >/dev/null || die "no apt-get here; install these by hand: $missing"
    if command -v node >/dev/null && ! has_package nodejs && [[ " $missing" == *" npm "* ]]; then
        die "node is here without npm; install npm as you installed node ($(command -v node))"
    fi
    say "installing $missing"
    quietly as_root env DEBIAN_FRONTEND=noninteractive apt-get -q update
    # shellcheck disable=SC2086 # a list of words
    quietly as_root env DEBIAN_FRONTEND=noninteractive apt-get -qy install --no-install-recommends $missing
}

# apt with this machine's own sources read as source-package sources, all state in build/deps: /etc stays as it is.
private_apt() {
    apt-get -q -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$deps/apt/sources" \
        -o Dir::State::Lists="$deps/apt/lists" -o Dir::Cache="$deps/apt/cache" "$@"
}

write_private_sources() {
    mkdir -p "$deps/apt/sources" "$deps/apt/lists/partial" "$deps/apt/cache/archives/partial"
    local file
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
        [ -r "$file" ] && sed -n 's/^deb[[:space:]]/deb-src /p' "$file" >"$deps/apt/sources/$(basename "$file" .list).list"
    done
    for file in /etc/apt/sources.list.d/*.sources; do
        [ -r "$file" ] && sed 's/^Types:.*/Types: deb-src/' "$file" >"$deps/apt/sources/$(basename "$file")"
    done
    return 0
}

# $1: source package. Its newest version, unpacked with the distribution's patches into build/deps/$1.
unpack_source() {
    local dir=$deps/download/$1
    mkdir -p "$dir"
    (cd "$dir" && quietly private_apt source --download-only "$1")
    quietly dpkg-source --no-copy -x "$dir"/*.dsc "$deps/$1.new"
    mv "$deps/$1.new" "$deps/$1"
}

fetch_sources() {
    [ -d "$deps/libsodium" ] && [ -d "$deps/libsecp256k1" ] && return
    say "fetching the sources of libsodium and libsecp256k1"
    rm -rf "$deps"/*.new "$deps/download"
    write_private_sources
    # One foreign source without source packages must not stop us; whether it worked shows in the next step.
    private_apt update >>"$log" 2>&1 </dev/null || true
    local name
    for name in libsodium libsecp256k1; do [ -d "$deps/$name" ] || unpack_source "$name"; done
    rm -rf "$deps/apt" "$deps/download"
}

# npm 9, which Debian 12 has, cannot read aliases among "overrides": it fetches a newer npm and has that do the work.
npm_ci() {
    if [ "$(npm --version | cut -d. -f1)" -ge 10 ]; then npm ci --ignore-scripts; else npm exec --yes npm@10.9.4 -- ci --ignore-scripts; fi
}

# $1: the folder with package-lock.json.
install_npm_packages() {
    [ "$1/node_modules/.package-lock.json" -nt "$1/package-lock.json" ] && return
    say "installing npm packages${1#.}"
    (cd "$1" && quietly npm_ci)
    touch "$1/node_modules/.package-lock.json"
}

# The peers of bench/package.json. SQLite's binding is compiled here, by npm's own node-gyp, with the headers that came with node if they did.
build_peers() {
    local headers
    headers=$(dirname "$(command -v node)")/..
    if [ ! -e bench/node_modules/better-sqlite3/build/Release/better_sqlite3.node ]; then
        say "compiling the SQLite binding of the benchmarks' peer (minutes)"
        [ ! -d "$headers/include/node" ] || export npm_config_nodedir=$headers
        (cd bench && quietly npm rebuild better-sqlite3 --foreground-scripts)
    fi
    say "building the benchmarks' peer"
    (cd bench/peers/sveltekit && quietly ../../node_modules/.bin/vite build)
}

case ${1:-} in
"")
    log=$PWD/build/setup.log
    : >"$log"
    install_packages
    fetch_sources
    ;;
npm)
    log=$PWD/build/setup-npm.log
    : >"$log"
    install_npm_packages .
    ;;
p2pd)
    log=$PWD/build/setup-p2pd.log
    : >"$log"
    install_npm_packages tests/interop/p2pd
    ;;
browser)
    log=$PWD/build/setup-browser.log
    : >"$log"
    install_npm_packages browser
    ;;
transport)
    log=$PWD/build/setup-transport.log
    : >"$log"
    packages=$transport_packages
    install_packages
    ;;
bench)
    log=$PWD/build/setup-bench.log
    : >"$log"
    packages=$bench_packages
    install_packages
    # not `npm ci`: it does not find its way through the optional packages of rollup in a lock file without addresses
    install_npm_packages tests/interop/p2pd
    say "installing npm packages of the benchmarks"
    (cd bench && quietly npm install --ignore-scripts --no-save)
    build_peers
    ;;
*) die "unknown: $1" ;;
esac
