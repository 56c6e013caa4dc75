"""Things by name that packages from outside may add to: kinds of clips, for example.

A registry holds what lies in one folder of this package (a module each), what installed packages announce by an entry
point, and what is registered by hand in a running program. Nothing is imported before it is asked for, and what can't
be loaded is reported in one sentence and left out: it never keeps the rest from working.
"""

from __future__ import annotations

import importlib
import pkgutil
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar

from napari_sam2_probe.common.errors import InputError, PluginWarning
from napari_sam2_probe.common.words import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from importlib.metadata import EntryPoint


class Named(Protocol):
    """What a registry holds."""

    name: ClassVar[str]


_Thing = TypeVar("_Thing", bound=Named)
_Class = TypeVar("_Class", bound=type[Any])


class Registry(Mapping[str, _Thing], Generic[_Thing]):
    """Instances by name, each made when it is first asked for; iterating loads them all.

    Parameters
    ----------
    what
        What one of them is called in messages, such as ``"kind"``.
    base
        The class that theirs derive from.
    package
        The folder of this package that holds a module each, named as the thing is, with ``_`` for ``-``. Modules
        whose name begins with ``_`` are left alone.
    group
        The group of entry points. An entry point is named as the thing is, and its object is the class.
    check
        Raises an `InputError` for a class that can't be used.
    key
        In which order they are listed.
    """

    def __init__(
        self,
        what: str,
        base: Callable[[], type[_Thing]],
        package: str,
        group: str,
        check: Callable[[type[_Thing]], None],
        key: Callable[[_Thing], Any],
    ) -> None:
        self.what = what
        self.group = group
        self._base = base
        self._package = package
        self._check = check
        self._key = key
        self._loaded: dict[str, _Thing] = {}
        self._registered: dict[str, type[_Thing]] = {}
        self._broken: dict[str, str] = {}
        self._own: dict[str, str] | None = None
        self._announced: dict[str, EntryPoint] | None = None

    def __getitem__(self, name: str) -> _Thing:
        return self.find(name)

    def get(self, name: str, default: Any = None) -> Any:
        """Return the one with this name, or `default` if there is none."""
        return self.find(name) if name in self else default

    def __contains__(self, name: object) -> bool:
        return name in self._own_modules() or name in self._registered or name in self._entry_points()

    def __iter__(self) -> Iterator[str]:
        there = [thing for name in self._names() if (thing := self._load_or_warn(name)) is not None]
        return iter([thing.name for thing in sorted(there, key=self._key)])

    def __len__(self) -> int:
        return len(list(iter(self)))

    def find(self, name: str) -> _Thing:
        """Return the one with this name.

        Raises
        ------
        InputError
            If there is none, or it can't be loaded.
        """
        if name in self._loaded:
            return self._loaded[name]
        if name not in self:
            there = list(self)
            meant = did_you_mean(name, there)
            raise InputError(f"There is no {self.what} {name!r}: choose one of {', '.join(there)}.{meant}")
        return self._load(name)

    def register(self, cls: _Class) -> _Class:
        """Add a class for as long as this program runs, and return it; one of the same name is replaced.

        Raises
        ------
        InputError
            If it is no class of the right kind, something of it is missing, or the name is taken by one that comes
            with this package or an installed one.
        """
        self._checked(cls)
        name = cls.name
        if name in self._own_modules() or name in self._entry_points():
            raise InputError(f"The {self.what} {name!r} is there already: give yours another name.")
        self._registered[name] = cls
        self._loaded.pop(name, None)
        return cls

    def unregister(self, name: str) -> None:
        """Take away what was registered by hand under this name; nothing happens if there is none."""
        if self._registered.pop(name, None) is not None:
            self._loaded.pop(name, None)

    def registered(self, names: Iterable[str]) -> tuple[type[_Thing], ...]:
        """Return the classes that were registered by hand under some of these names: another process lacks them."""
        return tuple(self._registered[name] for name in names if name in self._registered)

    def _names(self) -> list[str]:
        return list(dict.fromkeys([*self._own_modules(), *self._registered, *self._entry_points()]))

    def _load_or_warn(self, name: str) -> _Thing | None:
        if name in self._broken:
            return None
        try:
            return self.find(name)
        except InputError as error:
            if name in self._own_modules():
                raise
            self._broken[name] = str(error)
            warnings.warn(str(error), PluginWarning, stacklevel=4)
            return None

    def _load(self, name: str) -> _Thing:
        if name in self._own_modules():
            cls = self._class_in(self._own_modules()[name], name)
        elif name in self._registered:
            cls = self._registered[name]
        else:
            cls = self._from_entry_point(self._entry_points()[name])
        return self._loaded.setdefault(name, cls())

    def _from_entry_point(self, entry: EntryPoint) -> type[_Thing]:
        where = f"the package {entry.dist.name}" if entry.dist is not None else entry.value
        try:
            cls = entry.load()
            self._checked(cls)
        except InputError as error:
            raise InputError(f"The {self.what} {entry.name!r} of {where} can't be used: {error}") from error
        # Whatever its code does when it is imported is not our defect.
        except Exception as error:
            reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            raise InputError(
                f"The {self.what} {entry.name!r} of {where} can't be loaded ({reason}): update or remove that package."
            ) from error
        if cls.name != entry.name:
            raise InputError(
                f"The {self.what} {entry.name!r} of {where} can't be used: its class says that it is called "
                f"{cls.name!r}; give both one name."
            )
        found: type[_Thing] = cls
        return found

    def _class_in(self, module_name: str, name: str) -> type[_Thing]:
        module = importlib.import_module(module_name)
        for cls in vars(module).values():
            if isinstance(cls, type) and issubclass(cls, self._base()) and vars(cls).get("name") == name:
                self._checked(cls)
                return cls
        raise RuntimeError(f"{module_name} holds no {self.what} that is called {name!r}")

    def _checked(self, cls: Any) -> None:
        base = self._base()
        if not (isinstance(cls, type) and issubclass(cls, base)):
            raise InputError(f"{cls!r} is not a {self.what}: give a class that derives from {base.__name__}.")
        missing = sorted(getattr(cls, "__abstractmethods__", ()))
        if missing:
            raise InputError(f"The {self.what} {cls.__name__} has no {missing[0]}: define it.")
        self._check(cls)

    def _own_modules(self) -> dict[str, str]:
        if self._own is None:
            package = importlib.import_module(self._package)
            self._own = {
                module.name.replace("_", "-"): f"{self._package}.{module.name}"
                for module in pkgutil.iter_modules(package.__path__)
                if not module.name.startswith("_")
            }
        return self._own

    def _entry_points(self) -> dict[str, EntryPoint]:
        if self._announced is None:
            from importlib.metadata import entry_points

            self._announced = {}
            for entry in entry_points(group=self.group):
                taken = self._announced.get(entry.name)
                if entry.name in self._own_modules() or (taken is not None and taken.value != entry.value):
                    self._warn_of_a_taken_name(entry)
                else:
                    self._announced.setdefault(entry.name, entry)
        return self._announced

    def _warn_of_a_taken_name(self, entry: EntryPoint) -> None:
        where = f"the package {entry.dist.name}" if entry.dist is not None else entry.value
        warnings.warn(
            f"The {self.what} {entry.name!r} of {where} is left out: another one has that name.",
            PluginWarning,
            stacklevel=5,
        )
