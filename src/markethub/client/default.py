"""The ready client of ``from markethub import datahub``; it looks for its server at the first call."""

import atexit

from markethub.client.datahub import DataHub

datahub = DataHub()
atexit.register(datahub.close)
