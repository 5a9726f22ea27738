"""Walks through the lab: a real cloud, the real ``openstack`` client.

``make lab-test`` runs them; without a lab nothing here is collected. Each
test is a walk: it says what it expects, what it saw is checked against that,
and the run ends with a table of both (:mod:`tests.lab.walks`).
"""
