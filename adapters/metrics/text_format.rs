//! The text format of Prometheus before OpenMetrics (version 0.0.4), for programs that ask for it.

/// Rewrites metrics from OpenMetrics 1.0. In the older format a counter is described under the name of its samples, units
/// and the mark at the end are unknown, and an info is a gauge.
pub(crate) fn of_open_metrics(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    let mut help: Option<&str> = None;
    for line in text.lines() {
        if line == "# EOF" || line.starts_with("# UNIT ") {
            continue;
        }
        if line.starts_with("# HELP ") {
            // The type, which comes next, says how the metric is called.
            help = Some(line);
            continue;
        }
        let described = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' '));
        let Some((name, kind)) = described else {
            push(&mut written, line);
            continue;
        };
        let (name, kind) = match kind {
            "counter" => (format!("{name}_total"), "counter"),
            "info" => (format!("{name}_info"), "gauge"),
            "unknown" => (name.to_owned(), "untyped"),
            kind => (name.to_owned(), kind),
        };
        if let Some(said) = help.take().and_then(|line| line.splitn(4, ' ').nth(3)) {
            push(&mut written, &format!("# HELP {name} {said}"));
        }
        push(&mut written, &format!("# TYPE {name} {kind}"));
    }
    written
}

fn push(written: &mut String, line: &str) {
    written.push_str(line);
    written.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_and_infos_are_described_under_the_names_of_their_samples() {
        let open = "# HELP loquet_logins Logins by outcome.\n# TYPE loquet_logins counter\nloquet_logins_total{outcome=\"refused\"} 8\n\
                    # HELP loquet_build The version.\n# TYPE loquet_build info\nloquet_build_info{version=\"1\"} 1\n\
                    # HELP loquet_append_seconds Time.\n# TYPE loquet_append_seconds histogram\n# UNIT loquet_append_seconds seconds\n\
                    loquet_append_seconds_sum 1.0\n# EOF\n";
        let old = "# HELP loquet_logins_total Logins by outcome.\n# TYPE loquet_logins_total counter\n\
                   loquet_logins_total{outcome=\"refused\"} 8\n\
                   # HELP loquet_build_info The version.\n# TYPE loquet_build_info gauge\nloquet_build_info{version=\"1\"} 1\n\
                   # HELP loquet_append_seconds Time.\n# TYPE loquet_append_seconds histogram\n\
                   loquet_append_seconds_sum 1.0\n";
        assert_eq!(of_open_metrics(open), old);
    }
}
