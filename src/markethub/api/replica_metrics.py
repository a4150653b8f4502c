"""Numbers for Prometheus about a node's place in its group."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from markethub.domain.node import Role
from markethub.replication.follower import Mode
from markethub.services.dms_metrics import ReplicaMetrics


class ReplicaReading(Collector):
    """One reading of them; what nobody knows is left out."""

    def __init__(self, metrics: ReplicaMetrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        metrics = self._metrics
        role = GaugeMetricFamily("markethub_node_role", "1 for the role that this node has.", labels=["role"])
        for one in Role:
            role.add_metric([one], float(one is metrics.role))
        yield role
        yield GaugeMetricFamily(
            "markethub_node_epoch", "The count of reigns that this node knows of.", metrics.epoch
        )
        yield GaugeMetricFamily(
            "markethub_node_fenced",
            "1 for a master that was replaced, and writes nothing.",
            float(metrics.is_fenced),
        )
        yield from self._collect_lags()
        copied = CounterMetricFamily(
            "markethub_replica_rows",
            "Rows that this node has brought over from its master since it started.",
            labels=["mode"],
        )
        for mode in Mode:
            copied.add_metric([mode], metrics.copied_rows.get(mode, 0))
        yield copied

    def _collect_lags(self) -> Iterator[Metric]:
        seconds = GaugeMetricFamily(
            "markethub_replica_lag_seconds",
            "For how long the oldest change that a slave lacks has been there; 0 for none.",
            labels=["node"],
        )
        rows = GaugeMetricFamily(
            "markethub_replica_lag_rows", "Rows of the changes that a slave lacks.", labels=["node"]
        )
        revisions = GaugeMetricFamily(
            "markethub_replica_lag_revisions", "Revisions of the master that a slave lacks.", labels=["node"]
        )
        synced = GaugeMetricFamily(
            "markethub_replica_last_sync_timestamp_seconds",
            "Unix time at which a slave last had everything that its master had.",
            labels=["node"],
        )
        verified = GaugeMetricFamily(
            "markethub_replica_last_verification_timestamp_seconds",
            "Unix time at which all contents of a slave were last compared with its master's.",
            labels=["node"],
        )
        failing = GaugeMetricFamily(
            "markethub_replica_failing", "1 for a slave whose last run failed.", labels=["node"]
        )
        for name, lag in self._metrics.lags.items():
            for gauge, value in (
                (seconds, lag.seconds),
                (rows, lag.rows),
                (revisions, lag.revisions),
                (synced, _to_seconds(lag.last_sync_ms)),
                (verified, _to_seconds(lag.verified_ms)),
                (failing, float(lag.error is not None)),
            ):
                if value is not None:
                    gauge.add_metric([name], value)
        yield from (seconds, rows, revisions, synced, verified, failing)


def _to_seconds(time_ms: int | None) -> float | None:
    return None if time_ms is None else time_ms / 1000
