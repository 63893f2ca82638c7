#!/usr/bin/env bash
# Runs the tests: `npm test [-- FOLDER|FILE...]`; `npm run test:engines` runs test/docker on the engine between the newest
# and the oldest, and Podman's tests. First installs what they need, builds, and checks style and types.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH=$PATH:/usr/sbin:/sbin
unset DOCKER_HOST ORIG_DOCKER_HOST DOCKER_CONTEXT DOCKER_TLS_VERIFY DOCKER_CERT_PATH
targets=("$@")
if [ "${1:-}" = engines ]; then
  targets=(test/docker test/engines)
  export WEAVETS_TEST_ENGINES=26.1
  bash scripts/setup.sh --engines
else
  bash scripts/setup.sh --test
fi
npm run --silent check
[ ${#targets[@]} -gt 0 ] || targets=(test/rules test/unit test/netns test/docker test/host test/web test/cluster test/chaos)
exec node --import tsx scripts/run-tests.ts "${targets[@]}"
