//! The page around the sections.

use super::chart::Drawing;
use super::{Fact, Origin, Report, decimals, style, visible};
use maud::{DOCTYPE, Markup, PreEscaped, html};

/// Neither scripts nor requests, whatever gets into the page.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";

/// A figure of the page with what is said below it.
pub(super) fn figure(drawing: &Drawing, caption: Markup) -> Markup {
    html! { figure { (drawing.inline()) figcaption { (caption) } } }
}

/// A table of two columns.
pub(super) fn facts(facts: &[Fact]) -> Markup {
    html! {
        table class="facts" { tbody { @for (name, value) in facts { tr { th scope="row" { (visible(name)) } td { (visible(value)) } } } } }
    }
}

/// A value with its interval below.
pub(super) fn with_interval(value: Option<f64>, interval: Option<[f64; 2]>) -> Markup {
    html! {
        @match value {
            Some(value) => (decimals(value)),
            None => "–",
        }
        @if let Some([low, high]) = interval { span class="interval" { (decimals(low)) " to " (decimals(high)) } }
    }
}

/// What a reader must know before the numbers.
pub(super) fn notices(notices: &[String]) -> Markup {
    html! {
        @if !notices.is_empty() {
            div class="notice" role="note" { @for notice in notices { p { (visible(notice)) } } }
        }
    }
}

/// How the numbers came about.
pub(super) fn provenance(tables: &[(&str, Vec<Fact>)], origin: &Origin) -> Markup {
    let mut made =
        vec![(String::from("lincah"), env!("CARGO_PKG_VERSION").to_string()), (String::from("date"), origin.date.clone())];
    made.extend(origin.machine.iter().map(|machine| (String::from("machine that scored"), machine.clone())));
    html! {
        h2 { "How it was made" }
        @for (title, table) in tables {
            @if !table.is_empty() { h3 { (title) } (facts(table)) }
        }
        h3 { "This report" }
        (facts(&made))
        pre { (visible(&origin.command)) }
    }
}

/// Head, title, sections.
pub(super) fn page((kind, subtitle): (&str, &str), origin: &Origin, sections: Markup, drawings: &[&Drawing]) -> Report {
    let subject = visible(&origin.subject);
    let html = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="generator" content=(concat!("lincah ", env!("CARGO_PKG_VERSION")));
                link rel="icon" href="data:,";
                title { (subject) ": " (kind) }
                style { (PreEscaped(style::page())) }
            }
            body {
                main {
                    h1 { (subject) }
                    p class="muted" { (kind) ". " (visible(subtitle)) }
                    (sections)
                    footer {
                        "Intervals are 95 % percentile bootstrap intervals over the scored rows (2000 resamples); they do not contain what other training "
                        "rows or seeds would change. The numbers hold for rows like these and for no others."
                    }
                }
            }
        }
    };
    Report { html: html.into_string(), plots: drawings.iter().map(|drawing| drawing.file()).collect() }
}
