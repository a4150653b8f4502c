"""The Python client of a MarketHub server, blocking and async over one request core."""

from markethub.client.async_datahub import AsyncDataHub
from markethub.client.datahub import DataHub

__all__ = ["AsyncDataHub", "DataHub"]
