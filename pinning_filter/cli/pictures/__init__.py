"""Hosts drawn for people: on a terminal and in a browser.

All but ``fitted``, which draws one guest before it is placed, start from
``seats``: who sits on each pCPU.
"""
