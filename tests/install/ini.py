"""INI files for the stand-ins of DevStack's functions: get and set."""

import sys
from pathlib import Path

from oslo_config import iniparser


class Lines(iniparser.BaseParser):
    """All values of all options, in their order."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, dict[str, list[str]]] = {}
        self.section = "DEFAULT"

    def new_section(self, section: str) -> None:
        self.section = section

    def assignment(self, key: str, value: list[str]) -> None:
        options = self.found.setdefault(self.section, {})
        options.setdefault(key, []).extend(value)


def read(path: Path) -> dict[str, dict[str, list[str]]]:
    """The file's options by section, each a list of its values."""
    lines = Lines()
    lines.parse(path.read_text().splitlines())
    return lines.found


def main(action: str, path: str, section: str, option: str,
         *values: str) -> None:
    found = read(Path(path))
    if action == "get":
        print(*found.get(section, {}).get(option, []))
        return
    found.setdefault(section, {})[option] = list(values)
    Path(path).write_text("".join(
        f"[{name}]\n" + "".join(
            f"{key} = {value}\n" for key in options for value in options[key])
        for name, options in found.items()
    ))


if __name__ == "__main__":
    main(*sys.argv[1:])
