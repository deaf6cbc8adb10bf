#!/usr/bin/env bash
# webrtc-direct: js-libp2p and pages by hand in real Chromium call `holdfast serve` and `holdfast p2pd` (tests/interop/webrtc_direct.mjs).
set -eu
cd "$(dirname "$0")/../.."
tools/setup.sh npm
make --no-print-directory -s build/holdfast build/.setup-browser
mkdir -p build/interop
browser/node_modules/.bin/esbuild tests/interop/webrtc_direct_page.mjs --bundle --format=esm --target=es2022 --define:global=globalThis --log-level=warning \
    --outfile=build/interop/webrtc_direct_page.js
exec node --no-warnings tests/interop/webrtc_direct.mjs build/interop/webrtc_direct_page.js "$@"
