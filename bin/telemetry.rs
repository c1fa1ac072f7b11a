//! The program's own log, as text or JSON, and its traces, over OTLP/HTTP.

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

/// Traces that are still to be sent.
pub(crate) struct Telemetry {
    traces: Option<SdkTracerProvider>,
}

/// What becomes of the traces that the settings ask for: one command is no server, and its spans are nobody's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Traces {
    Sent,
    Dropped,
}

/// Begins to write the log to standard error; sends traces where a server is told where to.
pub(crate) fn init(logging: &Logging, sends: Traces) -> anyhow::Result<Telemetry> {
    // What the configuration says wrongly is told by whoever reads it; until then, the usual.
    let filter = EnvFilter::try_new(&logging.filter).unwrap_or_else(|_| EnvFilter::new("info"));
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
    // Whoever began a trace has decided whether it is kept.
    let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(share)));
    let resource = Resource::builder().with_service_name("loquet").build();
    Ok(SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_sampler(sampler)
        .with_resource(resource)
        .build())
}

impl Telemetry {
    /// Sends what is left.
    pub(crate) fn end(self) {
        if let Some(Err(error)) = self.traces.map(|traces| traces.shutdown()) {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}
