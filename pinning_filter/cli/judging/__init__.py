"""What ``explain`` asks of each compute node of a snapshot, and the answers.

``asking`` turns arguments into a question, ``verdicts`` holds it against a
node: the engine answers for PinningFilter, ``findings`` for what is beside
it. Knows nothing of how an answer is shown.
"""
