"""Settings, read once: flags win over ``MARKETHUB_*`` variables, those over the configuration file."""

from markethub.config.nodes import DmsSettings, MasterSettings, NodeSettings, SlaveSettings
from markethub.config.settings import (
    AccessSettings,
    AccountSettings,
    ControlSettings,
    JobSettings,
    McpSettings,
    SchedulerSettings,
    ServerSettings,
    Settings,
    StoreSettings,
    WorkerSettings,
    load_settings,
)

__all__ = [
    "AccessSettings",
    "AccountSettings",
    "ControlSettings",
    "DmsSettings",
    "JobSettings",
    "MasterSettings",
    "McpSettings",
    "NodeSettings",
    "SchedulerSettings",
    "ServerSettings",
    "Settings",
    "SlaveSettings",
    "StoreSettings",
    "WorkerSettings",
    "load_settings",
]
