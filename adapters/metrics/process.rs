//! What the operating system says about this process, under the names that the Prometheus client libraries use.

use procfs::process::{LimitValue, Process};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

/// Asks when somebody reads the metrics.
#[derive(Debug)]
pub(crate) struct ProcessCollector;

impl Collector for ProcessCollector {
    /// Writes nothing on a system without `/proc`.
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let Some(process) = OfProcess::ask() else { return Ok(()) };
        let mut write = |name: &str, help: &str, unit: Option<&Unit>, metric: &dyn Written| {
            metric.write(&mut encoder, name, help, unit)
        };
        let (seconds, bytes) = (Some(&Unit::Seconds), Some(&Unit::Bytes));
        write("process_cpu", "Processor time", seconds, &ConstCounter::new(process.cpu_seconds))?;
        write(
            "process_start_time",
            "When it started, since 1970",
            seconds,
            &ConstGauge::new(process.started_at),
        )?;
        write("process_resident_memory", "Memory in use", bytes, &ConstGauge::new(process.resident))?;
        write(
            "process_virtual_memory",
            "Address space in use",
            bytes,
            &ConstGauge::new(process.virtual_size),
        )?;
        write("process_threads", "Threads", None, &ConstGauge::new(process.threads))?;
        write("process_open_fds", "Open file descriptors", None, &ConstGauge::new(process.open_files))?;
        write(
            "process_max_fds",
            "The limit of open file descriptors",
            None,
            &ConstGauge::new(process.most_files),
        )
    }
}

/// A metric of any kind.
trait Written {
    fn write(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        name: &str,
        help: &str,
        unit: Option<&Unit>,
    ) -> std::fmt::Result;
}

impl<M: EncodeMetric> Written for M {
    fn write(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        name: &str,
        help: &str,
        unit: Option<&Unit>,
    ) -> std::fmt::Result {
        self.encode(encoder.encode_descriptor(name, help, unit, self.metric_type())?)
    }
}

struct OfProcess {
    cpu_seconds: f64,
    started_at: f64,
    resident: u64,
    virtual_size: u64,
    threads: i64,
    open_files: u64,
    most_files: u64,
}

impl OfProcess {
    fn ask() -> Option<Self> {
        let process = Process::myself().ok()?;
        let stat = process.stat().ok()?;
        let tick = 1_000_000 / procfs::ticks_per_second().max(1);
        let of_ticks = |ticks: u64| Duration::from_micros(ticks.saturating_mul(tick));
        let boot = Duration::from_secs(procfs::boot_time_secs().ok()?);
        let most = process.limits().ok()?.max_open_files.soft_limit;
        Some(Self {
            cpu_seconds: of_ticks(stat.utime.saturating_add(stat.stime)).as_secs_f64(),
            started_at: boot.saturating_add(of_ticks(stat.starttime)).as_secs_f64(),
            resident: stat.rss.saturating_mul(procfs::page_size()),
            virtual_size: stat.vsize,
            threads: stat.num_threads,
            open_files: u64::try_from(process.fd_count().ok()?).ok()?,
            most_files: match most {
                LimitValue::Value(most) => most,
                LimitValue::Unlimited => u64::MAX,
            },
        })
    }
}
