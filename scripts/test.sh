#!/usr/bin/env bash
# Runs the tests: `npm test [-- FOLDER|FILE...]`. Installs what they need, builds, checks style and types first.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH=$PATH:/usr/sbin:/sbin
unset DOCKER_HOST ORIG_DOCKER_HOST DOCKER_CONTEXT DOCKER_TLS_VERIFY DOCKER_CERT_PATH
bash scripts/setup.sh --test
npm run --silent check
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(test/rules test/unit test/netns test/docker test/cluster)
mapfile -t files < <(find "${targets[@]}" -name '*.test.ts' | sort)
[ ${#files[@]} -gt 0 ] || { echo "no tests in ${targets[*]}" >&2; exit 1; }
# Two engines side by side are what two cores carry.
exec node --import tsx --test --test-reporter=spec --test-concurrency=2 "${files[@]}"
