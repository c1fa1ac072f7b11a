//! The program's log, as text or JSON, and its traces, sent over OTLP/HTTP.

use anyhow::Context;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::output;
use crate::plain_log::PlainLog;
use crate::settings::Logging;

/// Traces that are not sent yet.
pub(crate) struct Telemetry {
    traces: Option<SdkTracerProvider>,
}

/// Whether a command sends traces when the settings ask for them. Only the server does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Traces {
    Sent,
    Dropped,
}

/// Libraries that report failures which this program handles and reports itself. The pool of PostgreSQL warns of each
/// connection that breaks, and the client of KurrentDB reports each attempt as an error. `log.filter` can switch them on.
const QUIET: &str = "deadpool=error,kurrentdb=off";

/// Reads the setting of the log. The command that reads the configuration reports its faults, so here a wrong value counts
/// as the default.
fn filter(setting: &str) -> EnvFilter {
    // Of two levels for one target, the later one wins.
    let with = |setting: &str| EnvFilter::try_new(format!("{QUIET},{setting}"));
    with(setting).or_else(|_| with("info")).unwrap_or_default()
}

/// Starts the log on standard error. Starts sending traces if this is a server with an address for them.
pub(crate) fn init(logging: &Logging, sends: Traces) -> anyhow::Result<Telemetry> {
    let filter = filter(&logging.filter);
    let lines = tracing_subscriber::fmt::layer().with_writer(|| PlainLog(output::Log));
    let log = match logging.json {
        true => lines.json().flatten_event(true).with_filter(filter).boxed(),
        false => lines.with_ansi(false).with_filter(filter).boxed(),
    };
    let traces = match logging.traces.as_ref().filter(|_| sends == Traces::Sent) {
        Some((endpoint, share)) => Some(provider(endpoint, *share)?),
        None => None,
    };
    let spans = traces.as_ref().map(|traces| {
        opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
        tracing_opentelemetry::layer().with_tracer(traces.tracer("loquet")).with_filter(LevelFilter::INFO)
    });
    tracing_subscriber::registry().with(log).with(spans).init();
    Ok(Telemetry { traces })
}

fn provider(endpoint: &str, share: f64) -> anyhow::Result<SdkTracerProvider> {
    let exporter = SpanExporter::builder().with_http().with_endpoint(endpoint).build();
    let exporter = exporter.with_context(|| format!("traces can't be sent to {endpoint}"))?;
    // The program that began a trace has decided whether it is recorded.
    let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(share)));
    let resource = Resource::builder().with_service_name("loquet").build();
    Ok(SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_sampler(sampler)
        .with_resource(resource)
        .build())
}

impl Telemetry {
    /// Sends the remaining traces.
    pub(crate) fn end(self) {
        if let Some(Err(error)) = self.traces.map(|traces| traces.shutdown()) {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn written(setting: &str, log: impl FnOnce()) -> String {
        let written = Written::default();
        let writer = written.clone();
        let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(move || writer.clone());
        let subscriber = tracing_subscriber::registry().with(lines.with_filter(filter(setting)));
        tracing::subscriber::with_default(subscriber, log);
        String::from_utf8(written.0.lock().unwrap().clone()).unwrap()
    }

    fn lines() {
        tracing::error!(target: "kurrentdb::grpc", "the client's own error");
        tracing::warn!(target: "deadpool", "the pool's own warning");
        tracing::warn!(target: "loquet_kurrentdb::follower", "our warning");
        tracing::debug!(target: "loquet_kurrentdb::reading", "our detail");
    }

    #[test]
    fn what_the_program_reports_itself_is_not_reported_by_libraries_unless_the_setting_names_them() {
        for setting in ["info", "warn", "no such = filter ="] {
            let written = written(setting, lines);
            assert!(written.contains("our warning"), "{setting}: {written}");
            assert_eq!(written.lines().count(), 1, "{setting}: {written}");
        }
        let named = written("info,kurrentdb=error,deadpool=warn", lines);
        for line in ["the client's own error", "the pool's own warning", "our warning"] {
            assert!(named.contains(line), "{named}");
        }
        assert!(written("error,kurrentdb::grpc=error", lines).contains("the client's own error"));
    }
}
