"""What every venue adapter needs to ask questions over HTTP without being refused.

``session`` sends one request, ``budget`` decides when it may be sent, ``faults`` reads what a refusal means,
``caller`` puts the three together; ``server_clock`` knows the venue's time, ``single_flight`` asks for all.

A budget is made of a ``line`` of those who wait, a ``tally`` of what was spent, the ``pause`` the venue
wants and, where processes share it, a ``share`` that ``fleet`` keeps it within.
"""
