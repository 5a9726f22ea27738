"""Reads a subunit stream from standard input; writes one JSON object a test.

Runs in the suite's environment.
"""

import json
import sys

import subunit
import testtools


def told(test):
    """One test: name, outcome, seconds, and its reason or its last line."""
    begin, end = test["timestamps"]
    details = {name: content.as_text()
               for name, content in test["details"].items()
               if content.content_type.type == "text"}
    reason = details.get("reason", "")
    if not reason and "traceback" in details:
        reason = details["traceback"].strip().splitlines()[-1]
    print(json.dumps({
        "test": test["id"], "outcome": test["status"],
        "seconds": (end - begin).total_seconds() if begin and end else 0,
        "reason": reason,
    }))


stream = testtools.StreamToDict(told)
stream.startTestRun()
subunit.ByteStreamToStreamResult(
    sys.stdin.buffer, non_subunit_name="stdout").run(stream)
stream.stopTestRun()
