"""Tests of the audit, without Nova."""
