"""The audit's findings in a line."""

from pinning_filter.audit.findings import Code, Finding
from pinning_filter.status import books
from tests.unit.status.said import said


def found(code):
    return Finding(code, "host", "", "", "")


def test_books_that_agree():
    assert said(books.agree([])) == []


def test_what_the_audit_finds():
    codes = [Code.PCPU_COUNTED_TAKEN, Code.PCPU_HELD_TWICE,
             Code.PCPU_COUNTED_TAKEN]
    assert said(books.agree(map(found, codes))) == [
        ("warning",
         "The audit has 3 findings, 1 of them critical: 2 "
         "pcpu-counted-taken, 1 pcpu-held-twice.",
         "Run 'pinning-filter audit', which looks twice and says for each "
         "what would mend it.")
    ]
