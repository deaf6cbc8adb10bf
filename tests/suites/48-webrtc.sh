#!/usr/bin/env bash
# WebRTC between browsers, js-libp2p's and ours, in real Chromium through a relay of js-libp2p (tests/interop/webrtc.mjs).
set -eu
cd "$(dirname "$0")/../.."
tools/setup.sh npm
mkdir -p build/interop
browser/node_modules/.bin/esbuild tests/interop/webrtc_page.mjs --bundle --format=esm --target=es2022 --define:global=globalThis --log-level=warning \
    --outfile=build/interop/webrtc_page.js
exec node --no-warnings tests/interop/webrtc.mjs build/interop/webrtc_page.js "$@"
