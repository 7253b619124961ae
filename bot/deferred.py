"""Modules of other people's packages that are found at once and run when they are first used.

`import openai` runs 600 modules of which a review uses 70, `import github` the classes of everything that GitHub has. `defer` names
those that shall wait: they are imported as ever, by whoever imports them, and run when the first of their names is asked for. It
changes nothing in a package and defers none of our own modules. It refuses nothing: what is used earlier is run earlier.

Unlike `importlib.util.LazyLoader` it lets an import pass by: there, a second import of a module runs it, and so does the import
of a module below it.
"""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader, SourcelessFileLoader
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from importlib.abc import Loader
else:
    # To the import system any object with the methods will do, and the module of the class brings 4 ms of others.
    Loader = object

_BY_THE_WAY: Final = frozenset(
    {"__path__", "__file__", "__cached__", "__loader__", "__package__", "__warningregistry__", "__wrapped__"}
)
"""What Python asks any module for, without a wish to use it. What of it there is, is there before the module runs."""


def defer(*names: str) -> None:
    """Let the modules of these names wait until they are used; `name.*` is every module below `name`, but not `name`.

    What was imported before stays as it is. To be called by the home of the package, right before it imports it.
    """
    _FINDER.add(names)
    if _FINDER not in sys.meta_path:
        sys.meta_path.insert(0, _FINDER)


def has_run(name: str) -> bool:
    """Whether the module was imported, and is not waiting."""
    return name in sys.modules and not isinstance(sys.modules[name], _Waiting)


class _Waiting(ModuleType):
    """A module that was not run yet. When it has, it is an ordinary one."""

    def __getattr__(self, name: str) -> Any:
        loader = self.__spec__.loader if self.__spec__ is not None else None
        if name in _BY_THE_WAY or not isinstance(loader, _Later) or not loader.is_set_up:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        loader.awake()
        # The import system's own lock of this module: of two threads one runs it and the other waits, without a deadlock.
        importlib.import_module(self.__name__)
        if type(self) is _Waiting and name not in self.__dict__:
            # It is running, and asks for this itself, by way of a module that imports it in a circle.
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r} yet")
        return getattr(self, name)

    def __dir__(self) -> list[str]:
        # Whoever lists a module wants what it has when it has run, which this lets it do.
        getattr(self, "__all__", None)
        return sorted(self.__dict__)


class _Later(Loader):
    """Loads one module: first its name alone, then what is in it."""

    def __init__(self, inner: Loader, name: str) -> None:
        self._inner = inner
        self._module = _Waiting(name)
        self._awaking = threading.Lock()
        self._is_awake = False
        self.is_set_up = False

    def create_module(self, spec: ModuleSpec) -> ModuleType:  # noqa: ARG002 - the import system calls it so
        return self._module

    def exec_module(self, module: ModuleType) -> None:
        if self._is_awake:
            self._inner.exec_module(module)
            module.__class__ = ModuleType
        self.is_set_up = True

    def awake(self) -> None:
        """The next import is to run the module."""
        with self._awaking:
            if not self._is_awake:
                self._is_awake = True
                sys.modules.pop(self._module.__name__, None)

    def __getattr__(self, name: str) -> Any:
        # Readers of a package's files ask its loader for more than the two methods above.
        return getattr(self._inner, name)


class _Finder:
    """Finds what the path has, and says of the named modules that they can wait."""

    def __init__(self) -> None:
        self._exact: frozenset[str] = frozenset()
        self._below: tuple[str, ...] = ()
        self._loaders: dict[str, _Later] = {}

    def add(self, names: Sequence[str]) -> None:
        """As `defer`."""
        self._exact |= {name for name in names if not name.endswith(".*")}
        self._below = tuple(sorted({*self._below, *(name[:-1] for name in names if name.endswith(".*"))}))

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in self._exact and not fullname.startswith(self._below):
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        # A compiled module is made by its own loader, and is there at once.
        if spec is None or not isinstance(spec.loader, SourceFileLoader | SourcelessFileLoader):
            return spec
        spec.loader = self._loaders.setdefault(fullname, _Later(spec.loader, fullname))
        return spec


_FINDER: Final = _Finder()
"""The one of the process, as `sys.meta_path` is."""
