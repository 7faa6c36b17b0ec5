"""What the service is told: a site's folder, its settings and its secrets."""

from sync.settings.loading import load_settings
from sync.settings.models import (
    FLOWS,
    MIRRORS,
    Cron5,
    Every,
    GuardSettings,
    OrderSettings,
    PatienceSettings,
    PipelineSettings,
    ScheduleSettings,
    ServiceSettings,
    Settings,
    SystemSettings,
    Trigger,
)
from sync.settings.site import Site, resolve_site

__all__ = [
    "FLOWS",
    "MIRRORS",
    "Cron5",
    "Every",
    "GuardSettings",
    "OrderSettings",
    "PatienceSettings",
    "PipelineSettings",
    "ScheduleSettings",
    "ServiceSettings",
    "Settings",
    "Site",
    "SystemSettings",
    "Trigger",
    "load_settings",
    "resolve_site",
]
