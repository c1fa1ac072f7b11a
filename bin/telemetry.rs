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

/// Starts the log on standard error. Starts sending traces if this is a server with an address for them.
pub(crate) fn init(logging: &Logging, sends: Traces) -> anyhow::Result<Telemetry> {
    // The command that reads the configuration reports its faults. Here a wrong value counts as the default.
    // The pool of connections warns of each one that breaks. Our own lines say what that kept from happening.
    let filter = EnvFilter::try_new(format!("deadpool=error,{}", logging.filter))
        .unwrap_or_else(|_| EnvFilter::new("info"));
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
