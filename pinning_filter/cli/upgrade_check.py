"""``pinning-filter-status upgrade check``: the same checks, as OpenStack's
upgrade tools ask them.

Exit statuses and output are those of oslo.upgradecheck.
"""

from __future__ import annotations

import functools
import logging
import sys
import traceback
import warnings
from collections.abc import Iterable, Sequence

from oslo_upgradecheck import upgradecheck

from pinning_filter.core.errors import InputError
from pinning_filter.core.text import one_line
from pinning_filter.nova import loading
from pinning_filter.status.findings import DATABASES, Level, Result

_CODES = {
    Level.OK: upgradecheck.Code.SUCCESS,
    Level.NOTE: upgradecheck.Code.SUCCESS,
    Level.UNKNOWN: upgradecheck.Code.WARNING,
    Level.WARNING: upgradecheck.Code.WARNING,
    Level.FAILURE: upgradecheck.Code.FAILURE,
}
_NAME = "pinning-filter-status"
#: As oslo.upgradecheck has it for what is no result.
_ERROR = 255


def main(argv: Sequence[str] | None = None) -> int:
    """Run the checks; the exit status is returned.

    0 for success, 1 for warnings, 2 for failures, 255 if there is no result.
    """
    loading.without_services()
    warnings.filterwarnings("ignore", message=r"\s*Eventlet is deprecated")
    logging.basicConfig(format=f"{_NAME}: %(message)s", level=logging.WARNING)
    # oslo.versionedobjects logs what it raises; once will do.
    logging.getLogger("object").setLevel(logging.CRITICAL)
    from nova import conf

    from pinning_filter.status import checks, gather

    words = tuple(sys.argv[1:] if argv is None else argv)
    commands = _Commands()
    upgradecheck.register_cli_options(conf.CONF, commands)
    upgradecheck.CONF = conf.CONF  # as its own main() does
    try:
        commands.take(checks.run(gather.of_cloud(command=words)))
    except InputError as error:
        print(f"{_NAME}: {one_line(str(error))}", file=sys.stderr)
        return _ERROR
    except Exception:
        # As oslo.upgradecheck has it: 1 would be a warning.
        traceback.print_exc()
        return _ERROR
    return upgradecheck.run(conf.CONF)


class _Commands(upgradecheck.UpgradeCommands):
    """What oslo.upgradecheck shows: results that are there already."""

    def take(self, results: Iterable[Result]) -> None:
        """One check of oslo.upgradecheck's for each of ours."""
        self._upgrade_checks = tuple(
            (result.check, functools.partial(_answer, result=result))
            for result in results
        )


def _answer(
    commands: upgradecheck.UpgradeCommands, result: Result
) -> upgradecheck.Result:
    said = [f"{each.text} {each.remedy}" for each in result.findings]
    details = one_line(" ".join(said)) or None
    code = _CODES[result.level]
    if result.level is Level.UNKNOWN and result.check == DATABASES:
        code = upgradecheck.Code.FAILURE  # and so is half of the rest
    return upgradecheck.Result(code, details)


if __name__ == "__main__":
    sys.exit(main())
