"""How busy the machine is, as MLflow measures it: CPU, memory, disk, network, and GPUs where they can be asked."""

from __future__ import annotations

from collections.abc import Iterator

from mlflow.system_metrics.metrics.base_metrics_monitor import BaseMetricsMonitor
from mlflow.system_metrics.metrics.cpu_monitor import CPUMonitor
from mlflow.system_metrics.metrics.disk_monitor import DiskMonitor
from mlflow.system_metrics.metrics.gpu_monitor import GPUMonitor
from mlflow.system_metrics.metrics.network_monitor import NetworkMonitor
from mlflow.system_metrics.metrics.rocm_monitor import ROCMMonitor

PREFIX = "system/"  # such curves have a tab of their own in MLflow's pages


class Machine:
    """Samples of the whole machine: ``look`` takes one, ``told`` the mean of those since it was called last."""

    def __init__(self) -> None:
        self._monitors = list(_monitors())
        self._looks = 0

    def look(self) -> None:
        for monitor in self._monitors:
            monitor.collect_metrics()
        self._looks += 1

    def told(self) -> dict[str, float]:
        """By MLflow's names, as ``system/cpu_utilization_percentage``; empty before the first look."""
        if not self._looks:
            return {}
        values = {name: value for monitor in self._monitors for name, value in monitor.aggregate_metrics().items()}
        for monitor in self._monitors:
            monitor.clear_metrics()
        self._looks = 0
        return {f"{PREFIX}{name}": float(value) for name, value in values.items()}


def _monitors() -> Iterator[BaseMetricsMonitor]:
    yield from (CPUMonitor(), DiskMonitor(), NetworkMonitor())
    for graphics in (GPUMonitor, ROCMMonitor):
        try:
            yield graphics()
        except (ImportError, RuntimeError, OSError):
            continue  # no such GPU, or no driver that can be asked
