"""Hosts drawn for people: on a terminal and in a browser.

All but ``placement``, which draws one guest before it is placed, start from
``cloud.occupancy``: what each pCPU is in use for.
"""
