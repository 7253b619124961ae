"""Which grammar reads a file, by its name alone; and which of a grammar's nodes are scopes and imports.

Two literal tables. A file that is not named here has no grammar: formats in which everything parses (Markdown, plain
text) are left out on purpose, since "it still parses" would say nothing there.
"""

from __future__ import annotations

SUFFIXES: dict[str, str] = {
    ".py": "python",
    ".pyi": "python",
    ".pyw": "python",
    ".js": "javascript",
    ".mjs": "javascript",
    ".cjs": "javascript",
    ".jsx": "javascript",
    ".ts": "typescript",
    ".mts": "typescript",
    ".cts": "typescript",
    ".tsx": "tsx",
    ".java": "java",
    ".c": "c",
    ".h": "cpp",
    ".cc": "cpp",
    ".cpp": "cpp",
    ".cxx": "cpp",
    ".c++": "cpp",
    ".hh": "cpp",
    ".hpp": "cpp",
    ".hxx": "cpp",
    ".ipp": "cpp",
    ".cu": "cuda",
    ".cuh": "cuda",
    ".cs": "csharp",
    ".go": "go",
    ".rs": "rust",
    ".rb": "ruby",
    ".rake": "ruby",
    ".gemspec": "ruby",
    ".php": "php",
    ".kt": "kotlin",
    ".kts": "kotlin",
    ".scala": "scala",
    ".sc": "scala",
    ".swift": "swift",
    ".m": "objc",
    ".dart": "dart",
    ".lua": "lua",
    ".luau": "luau",
    ".pl": "perl",
    ".pm": "perl",
    ".r": "r",
    ".jl": "julia",
    ".hs": "haskell",
    ".ex": "elixir",
    ".exs": "elixir",
    ".erl": "erlang",
    ".hrl": "erlang",
    ".elm": "elm",
    ".ml": "ocaml",
    ".mli": "ocaml_interface",
    ".fs": "fsharp",
    ".fsi": "fsharp_signature",
    ".clj": "clojure",
    ".cljs": "clojure",
    ".cljc": "clojure",
    ".edn": "clojure",
    ".groovy": "groovy",
    ".gradle": "groovy",
    ".sh": "bash",
    ".bash": "bash",
    ".fish": "fish",
    ".ps1": "powershell",
    ".psm1": "powershell",
    ".sql": "sql",
    ".html": "html",
    ".htm": "html",
    ".css": "css",
    ".scss": "scss",
    ".vue": "vue",
    ".svelte": "svelte",
    ".astro": "astro",
    ".json": "json",
    ".jsonnet": "jsonnet",
    ".libsonnet": "jsonnet",
    ".yml": "yaml",
    ".yaml": "yaml",
    ".toml": "toml",
    ".xml": "xml",
    ".svg": "xml",
    ".dockerfile": "dockerfile",
    ".mk": "make",
    ".cmake": "cmake",
    ".ninja": "ninja",
    ".nix": "nix",
    ".hcl": "hcl",
    ".tf": "terraform",
    ".tfvars": "terraform",
    ".bicep": "bicep",
    ".rego": "rego",
    ".proto": "proto",
    ".thrift": "thrift",
    ".graphql": "graphql",
    ".gql": "graphql",
    ".prisma": "prisma",
    ".zig": "zig",
    ".odin": "odin",
    ".hare": "hare",
    ".gleam": "gleam",
    ".sol": "solidity",
    ".cairo": "cairo",
    ".v": "verilog",
    ".sv": "verilog",
    ".vh": "verilog",
    ".vhd": "vhdl",
    ".vhdl": "vhdl",
    ".f90": "fortran",
    ".f95": "fortran",
    ".f03": "fortran",
    ".pas": "pascal",
    ".d": "d",
    ".hx": "haxe",
    ".gd": "gdscript",
    ".glsl": "glsl",
    ".vert": "glsl",
    ".frag": "glsl",
    ".hlsl": "hlsl",
    ".wgsl": "wgsl",
    ".adb": "ada",
    ".ads": "ada",
    ".bzl": "starlark",
    ".star": "starlark",
    ".tcl": "tcl",
    ".el": "elisp",
    ".lisp": "commonlisp",
    ".scm": "scheme",
    ".rkt": "racket",
    ".tex": "latex",
    ".twig": "twig",
}
"""Suffix in lower case to grammar."""

NAMES: dict[str, str] = {
    "dockerfile": "dockerfile",
    "containerfile": "dockerfile",
    "makefile": "make",
    "gnumakefile": "make",
    "cmakelists.txt": "cmake",
    "meson.build": "meson",
    "build": "starlark",
    "build.bazel": "starlark",
    "workspace": "starlark",
    "gemfile": "ruby",
    "rakefile": "ruby",
    "vagrantfile": "ruby",
    "podfile": "ruby",
    "jenkinsfile": "groovy",
    "go.mod": "gomod",
    "pipfile": "toml",
    "cargo.lock": "toml",
    ".bashrc": "bash",
    ".profile": "bash",
    ".zshrc": "bash",
}
"""Whole file name in lower case to grammar."""

SCOPES = frozenset(
    """
    function_definition function_declaration function_item function_expression function function_statement
    generator_function generator_function_declaration arrow_function method_definition method_declaration method
    singleton_method constructor_declaration constructor_definition compact_constructor_declaration secondary_constructor
    destructor_declaration local_function_statement anonymous_function anonymous_method_expression lambda_literal
    subroutine_declaration_statement method_declaration_statement subroutine  function_clause
    class_definition class_declaration abstract_class_declaration class_specifier class_statement class_method_definition
    class class_implementation class_interface singleton_class companion_object object_declaration object_definition
    struct_specifier struct_declaration struct_definition struct_item union_item impl_item trait_item trait_declaration
    trait_definition interface_declaration protocol_declaration enum_item enum_declaration
    enum_definition enum_specifier enum_statement extension_declaration mod_item module module_definition
    module_declaration internal_module namespace_definition namespace_declaration contract_declaration
    library_declaration type_declaration type_definition record_declaration annotation_type_declaration
    procedure_declaration package_body function_body procedure_body process_statement create_function function_def
    method_elem object_type_definition interface_type_definition input_object_type_definition enum_type_definition
    message service rpc
    """.split()  # noqa: SIM905 - as a list this is a page long
)
"""Kinds of nodes that enclose code and have a header line, over all grammars."""

IMPORTS = frozenset(
    """
    import_statement import_from_statement future_import_statement import_declaration import_header import_directive
    import_or_export import_attribute import import_list use_declaration extern_crate_declaration preproc_include
    using_directive using_declaration using_statement namespace_use_declaration use_statement require_expression
    require_once_expression include_expression include_once_expression include_directive include_statement
    module_import open_module pp_include pp_include_lib package_clause package_declaration package_header
    import_clause foreign_import with_clause use_clause require_directive
    """.split()  # noqa: SIM905 - as a list this is a page long
)
"""Kinds of nodes that bring in names from other files. Taken only at the outermost levels of a file."""


def language(path: str) -> str | None:
    """The grammar for the file at `path`, such as `python`; None when there is none."""
    name = path.rpartition("/")[2].lower()
    if name in NAMES:
        return NAMES[name]
    stem, dot, suffix = name.rpartition(".")
    if dot and (found := SUFFIXES.get(f".{suffix}")):
        return found
    return "dockerfile" if stem == "dockerfile" or name.startswith("dockerfile.") else None
