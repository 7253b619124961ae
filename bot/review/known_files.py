"""What file names and first lines give away: lock files, vendored and minified ones, generated code. Tables, no decisions.

Only names that can hardly belong to a file somebody wrote by hand are here: a wrong entry is a file nobody reviews.
"""

from __future__ import annotations

import re

LOCK_FILES = frozenset(
    {
        # JavaScript
        "package-lock.json",
        "npm-shrinkwrap.json",
        "yarn.lock",
        "pnpm-lock.yaml",
        "bun.lock",
        "bun.lockb",
        "deno.lock",
        "shrinkwrap.yaml",
        # Python
        "pipfile.lock",
        "poetry.lock",
        "pdm.lock",
        "uv.lock",
        "pylock.toml",
        "pixi.lock",
        "conda-lock.yml",
        "conda-lock.yaml",
        # Rust, Go, Zig, Nim
        "cargo.lock",
        "cargo-bazel-lock.json",
        "go.sum",
        "go.work.sum",
        "gopkg.lock",
        "glide.lock",
        "nimble.lock",
        # Ruby, Crystal, Elixir, Erlang, Elm, PureScript
        "gemfile.lock",
        "gems.locked",
        "berksfile.lock",
        "shard.lock",
        "mix.lock",
        "rebar.lock",
        "spago.lock",
        # PHP
        "composer.lock",
        "symfony.lock",
        # Java, Kotlin, Scala, Clojure
        "gradle.lockfile",
        "buildscript-gradle.lockfile",
        "maven_install.json",
        "module.bazel.lock",
        # .NET
        "packages.lock.json",
        "paket.lock",
        "project.assets.json",
        # Apple
        "podfile.lock",
        "cartfile.resolved",
        "package.resolved",
        "mint.lock",
        # Dart, Haskell, R, D, OCaml, Julia, C and C++
        "pubspec.lock",
        "stack.yaml.lock",
        "cabal.project.freeze",
        "renv.lock",
        "packrat.lock",
        "dub.selections.json",
        "juliamanifest.toml",
        "conan.lock",
        "vcpkg-lock.json",
        # Infrastructure
        ".terraform.lock.hcl",
        "chart.lock",
        "requirements.lock",
        "flake.lock",
        "devbox.lock",
        "devenv.lock",
        "brewfile.lock.json",
        "mise.lock",
        "wally.lock",
        "prefetch-dependencies.lock",
    }
)
"""Base names in lower case."""

LOCK_NAME = re.compile(r".\.opam\.locked\Z")

VENDORED_PATH = re.compile(
    r"""(?:\A|/)(?:
        vendor | vendors | vendored | _vendor | third[_-]?party | 3rdparty | node_modules | bower_components
        | jspm_packages | Godeps/_workspace | Pods | Carthage/(?:Checkouts|Build) | \.yarn/(?:releases|plugins|sdks|cache)
        | \.mvn/wrapper | gradle/wrapper | site-packages
    )/
    | (?:\A|/)(?:gradlew|gradlew\.bat|mvnw|mvnw\.cmd|\.pnp\.c?js|\.pnp\.loader\.mjs)\Z""",
    re.VERBOSE,
)

MINIFIED_NAME = re.compile(r"[.-]min\.(?:js|mjs|cjs|css|html|svg|json)\Z", re.IGNORECASE)

GENERATED_NAME = re.compile(
    r"""
    _pb2(?:_grpc)?\.pyi?\Z | \.pb(?:\.[a-z]+)?\.(?:go|cc|h|c|swift|dart|ts|js|rs)\Z | _grpc_pb\.(?:js|d\.ts)\Z
    | _pb\.(?:js|ts|d\.ts|rb)\Z | \.pbobjc\.[hm]\Z | \.(?:g|freezed|gr|mocks|config)\.dart\Z
    | (?:\A|/)zz_generated[._][^/]*\Z | [._-]generated\.[A-Za-z]+\Z | \.gen\.(?:go|ts|tsx|js|rs)\Z
    | \.g\.(?:cs|i\.cs)\Z | \.[Dd]esigner\.(?:cs|vb)\Z
    | (?:\A|/)__generated__/ | (?:\A|/)__snapshots__/ | \.(?:js|jsx|ts|tsx|py)\.snap\Z | \.snap\Z | \.ambr\Z
    | \.(?:js|mjs|cjs|css)\.map\Z | \.tsbuildinfo\Z | (?:\A|/)project\.pbxproj\Z | \.xcworkspacedata\Z
    | (?:\A|/)(?:dist|build|out)/.*\.(?:js|mjs|cjs|css|d\.ts)\Z
    | \.(?:tfstate|tfstate\.backup)\Z
    """,
    re.VERBOSE,
)

MARKER_LINES = 15
"""So far into a file a marker counts, as generators put it at the top."""

_COMMENT = re.compile(r"""\s*(?:\#|//|/\*|\*|--|;|<!--|%|'|"{3}|\{-|\(\*|!|dnl\b|REM\b|@rem\b|\.\.\s)""")
_MARKER = re.compile(
    r"""
    (?<![\w@])@generated\b(?!\s*\() | <auto-?generated\b
    | \bgenerated\b.*\bdo\ not\ (?:edit|modify|change|alter)\b
    | \bdo\ not\ (?:edit|modify|change|alter)\b.*\b(?:auto-?)?generated\b
    | \b(?:auto-?|automatically\ )generated\ (?:by|from|with|using)\b
    """,
    re.VERBOSE | re.IGNORECASE,
)


def is_marker(line: str) -> bool:
    """Whether a line is a comment that says that its file is generated."""
    line = line[:400]
    return bool(_COMMENT.match(line) and _MARKER.search(line))
