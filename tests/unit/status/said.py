"""What a check said, for tables of tests."""


def said(findings):
    """Level, text and remedy of each finding."""
    return [(each.level.value, each.text, each.remedy) for each in findings]


def levels(findings):
    return [each.level.value for each in findings]
