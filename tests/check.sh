#!/bin/sh
# Everything that can be checked without running the program. Each line stops the run when it finds something.
set -eu
bin=.venv/bin
$bin/ruff check .
$bin/ruff format --check --quiet .
$bin/mypy
$bin/lint-imports --no-cache
for file in .github/workflows/*.yml; do
  [ -e "$file" ] || continue
  $bin/actionlint "$file"
  $bin/check-jsonschema --builtin-schema vendor.github-workflows "$file"
  $bin/zizmor --offline --quiet "$file"
done
$bin/check-jsonschema --builtin-schema vendor.github-actions action.yml
$bin/zizmor --offline --quiet action.yml .pre-commit-hooks.yaml
$bin/check-jsonschema --schemafile docs/spark.schema.json .github/spark.yml
if [ -e Dockerfile ]; then $bin/hadolint Dockerfile; fi
if [ -e compose.yaml ]; then $bin/check-jsonschema --builtin-schema vendor.compose-spec compose.yaml; fi
$bin/shellcheck .ci/run tests/check.sh
