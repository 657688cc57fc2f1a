"""A YAML file read key by key: every mistake is kept with its line, and told all at once."""

import difflib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from common.camera_settings import corners_in
from common.settings import SettingsError

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass
class YamlFile:
    """One file, the environment that its `${NAME}` may ask for, and what was found wrong so far."""

    path: Path
    environment: Mapping[str, str]
    problems: list[tuple[int, str]] = field(default_factory=list)

    def complain(self, node: yaml.Node | None, words: str) -> None:
        line = node.start_mark.line + 1 if node else 1
        self.problems.append((line, words))

    def raise_problems(self) -> None:
        """Raise SettingsError with everything found wrong, in the order of the file, if anything was."""
        if self.problems:
            raise SettingsError([f"{self.path}:{line}: {words}" for line, words in sorted(self.problems)])


def open_yaml(path: Path, environment: Mapping[str, str] | None = None) -> "Section":
    """Return the top of the file. Raises SettingsError when it cannot be read as YAML at all."""
    file = YamlFile(path, os.environ if environment is None else environment)
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except FileNotFoundError as error:
        hint = "begin with a copy of deploy/edge/agent.example.yaml, or name another file with --config"
        raise SettingsError([f"{path} is not there: {hint}"]) from error
    except OSError as error:
        raise SettingsError([f"{path}: cannot be read ({error.strerror})"]) from error
    except UnicodeDecodeError as error:
        raise SettingsError([f"{path}: is not UTF-8 text"]) from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise SettingsError([f"{path}:{line}: not YAML: {error.problem}"]) from error
    except yaml.YAMLError as error:
        raise SettingsError([f"{path}: not YAML: {error}"]) from error
    return Section(file, node, "the file")


class Section:
    """The keys of one mapping. Each reader marks its key as known; `finish` complains about the others."""

    def __init__(self, file: YamlFile, node: yaml.Node | None, where: str) -> None:
        self.file, self.node, self.where = file, node, where
        self._known: list[str] = []
        self._keys: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        if node is not None and not isinstance(node, yaml.MappingNode):
            file.complain(node, f"{where} must hold `key: value` lines")
        for key, value in node.value if isinstance(node, yaml.MappingNode) else []:
            self._take(key, value)

    def _take(self, key: yaml.Node, value: yaml.Node) -> None:
        name = key.value if isinstance(key, yaml.ScalarNode) else "?"
        if name in self._keys:
            self.file.complain(key, f"{name} is given twice")
        self._keys[name] = (key, value)

    def finish(self) -> None:
        """Complain about every key that no reader asked for."""
        for name, (key, _) in self._keys.items():
            if name not in self._known:
                near = difflib.get_close_matches(name, self._known, n=1, cutoff=0.6)
                hint = f"; did you mean {near[0]}?" if near else f"; known are {', '.join(self._known)}"
                self.file.complain(key, f"{name} is not a setting of {self.where}{hint}")

    def _node(self, name: str) -> yaml.Node | None:
        self._known.append(name)
        node = self._keys.get(name, (None, None))[1]
        empty = isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null"
        return None if empty else node

    def has(self, name: str) -> bool:
        return name in self._keys

    def complain(self, name: str, words: str) -> None:
        """Keep a problem at the line of name, or of the section when name is not there."""
        self.file.complain(self._keys[name][1] if name in self._keys else self.node, words)

    def text(self, name: str, *, default: str | None = None) -> str:
        """Return text with `${NAME}` filled in from the environment; without a default it must be there."""
        node = self._node(name)
        if node is None:
            if default is None:
                self.complain(name, f"{self.where} needs {name}")
            return default or ""
        if default is None and isinstance(node, yaml.ScalarNode) and not node.value:
            self.complain(name, f"{self.where} needs {name}")
        return self._text_of(name, node, default or "")

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of texts, each with `${NAME}` filled in; empty when it is not there."""
        return tuple(text for _, text in self._entries(name))

    def _entries(self, name: str) -> list[tuple[yaml.Node, str]]:
        node = self._node(name)
        if node is not None and not isinstance(node, yaml.SequenceNode):
            self.complain(name, f"{name} must be a list, one `- ` an entry")
        items = node.value if isinstance(node, yaml.SequenceNode) else []
        return [(item, text) for item in items if (text := self._text_of(name, item, ""))]

    def polygons(self, name: str) -> tuple[tuple[tuple[float, float], ...], ...]:
        """Return a list of polygons, each written as its corners: `0,0  0.3,0  0.3,0.4`, within 0..1."""
        found = []
        for node, text in self._entries(name):
            if (corners := corners_in(text)) is None:
                asked = "corners like 0,0 0.3,0 0.3,0.4 (three or more, 0 to 1 of width and height)"
                self.file.complain(node, f"{name} wants {asked}, not {text!r}")
            found.append(corners or ())
        return tuple(found)

    def _text_of(self, name: str, node: yaml.Node, otherwise: str) -> str:
        if not isinstance(node, yaml.ScalarNode):
            self.file.complain(node, f"{name} must be text")
            return otherwise
        return _VARIABLE.sub(lambda found: self._variable(name, found[1]), node.value)

    def _variable(self, name: str, variable: str) -> str:
        if variable not in self.file.environment:
            self.complain(name, f"{name} asks for ${{{variable}}}, which is not set in the environment")
        return self.file.environment.get(variable, "")

    def number(self, name: str, *, default: float, low: float, high: float) -> float:
        """Return a number within low..high."""
        value = self.maybe_number(name, low=low, high=high)
        return default if value is None else value

    def maybe_number(self, name: str, *, low: float, high: float) -> float | None:
        """Return a number within low..high, or None when it is not given."""
        node = self._node(name)
        if node is None:
            return None
        value = _scalar(node)
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.complain(name, f"{name} must be a number, not {_shown(node)}")
            return None
        if not low <= value <= high:
            self.complain(name, f"{name} must be between {low:g} and {high:g}, not {value:g}")
            return None
        return float(value)

    def whole(self, name: str, *, default: int, low: int, high: int) -> int:
        """Return a whole number within low..high."""
        value = self.number(name, default=default, low=low, high=high)
        if value != int(value):
            self.complain(name, f"{name} must be a whole number, not {value:g}")
        return int(value)

    def flag(self, name: str, *, default: bool) -> bool:
        node = self._node(name)
        if node is None:
            return default
        value = _scalar(node)
        if not isinstance(value, bool):
            self.complain(name, f"{name} must be yes or no, not {_shown(node)}")
            return default
        return value

    def choice(self, name: str, *, default: str, among: tuple[str, ...]) -> str:
        value = self.text(name, default=default)
        if value not in among:
            self.complain(name, f"{name} must be one of {', '.join(among)}, not {value!r}")
        return value

    def choices(self, name: str, *, default: str, among: tuple[str, ...]) -> tuple[str, ...]:
        """Return the words of the list at name, in its order; none for the word default, or without it."""
        node = self._node(name)
        if node is None or (isinstance(node, yaml.ScalarNode) and node.value == default):
            return ()
        items = node.value if isinstance(node, yaml.SequenceNode) else [node]
        for item in items:
            if not isinstance(item, yaml.ScalarNode) or item.value not in among:
                known = f"{default}, or a list of {', '.join(among)}"
                self.file.complain(item, f"{name} must be {known}, not {_shown(item)}")
                return ()
        return tuple(item.value for item in items)

    def path(self, name: str, *, default: Path | None = None) -> Path | None:
        """Return a path; a relative one is meant from the folder of the file."""
        raw = self.text(name, default="")
        return (self.file.path.parent / Path(raw).expanduser()).resolve() if raw else default

    def section(self, name: str) -> "Section":
        """Return the mapping at name; empty when it is not there."""
        return Section(self.file, self._node(name), name)

    def sections(self, name: str, each: str) -> Iterator["Section"]:
        """Yield the mappings of the list at name; `each` is what one of them is called."""
        node = self._node(name)
        if node is not None and not isinstance(node, yaml.SequenceNode):
            self.complain(name, f"{name} must be a list, one `- ` an entry")
            return
        for item in node.value if node is not None else []:
            yield Section(self.file, item, each)


def _scalar(node: yaml.Node) -> Any:
    if not isinstance(node, yaml.ScalarNode):
        return None
    try:
        return yaml.constructor.SafeConstructor().construct_object(node)
    except (yaml.YAMLError, ValueError):  # e.g. the 31st of February
        return None


def _shown(node: yaml.Node) -> str:
    return repr(node.value) if isinstance(node, yaml.ScalarNode) else "a list or a mapping"
