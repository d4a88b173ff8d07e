//! What Prometheus is told.

use lincah::{Decision, Prediction};
use prometheus::{
    Encoder, Histogram, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry, TextEncoder,
    exponential_buckets, linear_buckets,
};

/// Counters and histograms.
pub(crate) struct Metrics {
    registry: Registry,
    pub(crate) requests: IntCounterVec,
    pub(crate) seconds: HistogramVec,
    pub(crate) batch_texts: HistogramVec,
    pub(crate) reloads: IntCounterVec,
    pub(crate) body_bytes: Histogram,
    texts: IntCounterVec,
    waiting: IntGaugeVec,
    decisions: IntCounterVec,
    scores: HistogramVec,
}

fn registered<C: prometheus::core::Collector + Clone + 'static>(registry: &Registry, collector: prometheus::Result<C>) -> C {
    let collector = collector.expect("the names are valid");
    registry.register(Box::new(collector.clone())).expect("the names are distinct");
    collector
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let registry = Registry::new();
        let counter =
            |name: &str, help: &str, labels: &[&str]| registered(&registry, IntCounterVec::new(Opts::new(name, help), labels));
        let histogram = |name: &str, help: &str, buckets: Vec<f64>, labels: &[&str]| {
            registered(&registry, HistogramVec::new(HistogramOpts::new(name, help).buckets(buckets), labels))
        };
        let doubling = |first: f64, count: usize| exponential_buckets(first, 2.0, count).expect("buckets that grow");
        let tenths = linear_buckets(0.1, 0.1, 9).expect("buckets that grow");
        Self {
            requests: counter("lincah_requests_total", "Requests by route and status.", &["route", "status"]),
            seconds: histogram(
                "lincah_request_seconds",
                "Seconds until a request was answered.",
                doubling(0.002, 14),
                &["route"],
            ),
            batch_texts: histogram("lincah_batch_texts", "Texts that were scored together.", doubling(1.0, 11), &["classifier"]),
            reloads: counter(
                "lincah_reloads_total",
                "Classifiers that were loaded anew, or could not be.",
                &["classifier", "outcome"],
            ),
            body_bytes: registered(
                &registry,
                Histogram::with_opts(
                    HistogramOpts::new("lincah_request_bytes", "Bytes of requests.").buckets(doubling(64.0, 16)),
                ),
            ),
            texts: counter("lincah_texts_total", "Texts that were scored.", &["classifier"]),
            waiting: registered(
                &registry,
                IntGaugeVec::new(Opts::new("lincah_waiting_texts", "Texts that wait or are being scored."), &["classifier"]),
            ),
            decisions: counter(
                "lincah_decisions_total",
                "Decisions by label; review where a person should look.",
                &["classifier", "label"],
            ),
            scores: histogram("lincah_scores", "Calibrated probabilities by label.", tenths, &["classifier", "label"]),
            registry,
        }
    }

    /// Counts predictions, their scores and decisions.
    pub(crate) fn count(&self, classifier: &str, names: &[String], predictions: &[Prediction]) {
        self.texts.with_label_values(&[classifier]).inc_by(predictions.len() as u64);
        for prediction in predictions {
            for (label, probability) in names.iter().zip(&prediction.probabilities) {
                self.scores.with_label_values(&[classifier, label]).observe(*probability);
            }
            if prediction.decision == Decision::Abstain {
                self.decisions.with_label_values(&[classifier, "review"]).inc();
            }
            for label in prediction.decision.names(names) {
                self.decisions.with_label_values(&[classifier, &label]).inc();
            }
        }
    }

    /// Everything in Prometheus' text form, with the texts that wait for each classifier.
    pub(crate) fn text(&self, waiting: impl IntoIterator<Item = (String, usize)>) -> Vec<u8> {
        for (classifier, texts) in waiting {
            self.waiting.with_label_values(&[&classifier]).set(texts as i64);
        }
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text).expect("text can be written to memory");
        text
    }
}
