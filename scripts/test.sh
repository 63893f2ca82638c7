#!/usr/bin/env bash
# Runs the tests: `npm test [-- FOLDER|FILE...]`, and `npm run test:engines` those on newer engines. Installs what
# they need, builds, checks style and types first.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH=$PATH:/usr/sbin:/sbin
unset DOCKER_HOST ORIG_DOCKER_HOST DOCKER_CONTEXT DOCKER_TLS_VERIFY DOCKER_CERT_PATH
targets=("$@")
if [ "${1:-}" = engines ]; then
  targets=(test/engines)
  bash scripts/setup.sh --engines
  # Built here, where a test's time does not count: minutes, the first time.
  for suite in trixie sid; do sh scripts/debian-root.sh "$suite" >/dev/null; done
else
  bash scripts/setup.sh --test
fi
npm run --silent check
[ ${#targets[@]} -gt 0 ] || targets=(test/rules test/unit test/netns test/docker test/cluster)
mapfile -t files < <(find "${targets[@]}" -name '*.test.ts' | sort)
[ ${#files[@]} -gt 0 ] || { echo "no tests in ${targets[*]}" >&2; exit 1; }
# Two engines side by side are what two cores carry.
exec node --import tsx --test --test-reporter=spec --test-concurrency=2 "${files[@]}"
