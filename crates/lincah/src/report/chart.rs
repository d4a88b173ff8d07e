//! Plots as SVG: a frame with two axes, keys above it, marks in it. Colours are classes, so the page's style sheet decides them.

use super::style::{self, SERIES};
use super::{PlotFile, short};
use maud::{Markup, html};

const LEFT: f64 = 54.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 46.0;
const KEY: f64 = 19.0;

/// A finished plot.
pub(super) struct Drawing {
    /// A file name without its ending; also the start of the ids inside.
    pub(super) name: String,
    pub(super) title: String,
    /// What the plot shows, for who cannot see it.
    pub(super) description: String,
    pub(super) size: (f64, f64),
    pub(super) body: Markup,
}

impl Drawing {
    /// The plot for the page.
    pub(super) fn inline(&self) -> Markup {
        self.svg(html! {})
    }

    /// The plot as a file: with its style and a ground to stand on.
    pub(super) fn file(&self) -> PlotFile {
        let (width, height) = self.size;
        let ground = html! {
            style { (maud::PreEscaped(style::plot())) }
            rect class="ground" width=(width) height=(height) {}
        };
        PlotFile { name: self.name.clone(), svg: self.svg(ground).into_string() + "\n" }
    }

    fn svg(&self, ground: Markup) -> Markup {
        let (width, height) = self.size;
        let (title, description) = (format!("{}-title", self.name), format!("{}-description", self.name));
        html! {
            svg xmlns="http://www.w3.org/2000/svg" class="plot" viewBox=(format!("0 0 {width} {height}"))
                width=(width) height=(height) role="img" aria-labelledby=(format!("{title} {description}")) {
                title id=(title) { (self.title) }
                desc id=(description) { (self.description) }
                (ground)
                (self.body)
            }
        }
    }
}

/// One direction of a plot.
pub(super) struct Axis {
    label: String,
    low: f64,
    high: f64,
    ticks: Vec<(f64, String)>,
}

impl Axis {
    /// From 0 to 1.
    pub(super) fn share(label: &str) -> Self {
        let ticks = (0..=5).map(|tick| f64::from(tick) / 5.0).map(|tick| (tick, format!("{tick:.1}")));
        Self { label: label.to_string(), low: 0.0, high: 1.0, ticks: ticks.collect() }
    }

    /// Metrics between `low` and `high`, with some room.
    pub(super) fn metric(label: &str, low: f64, high: f64) -> Self {
        let step = [0.01, 0.02, 0.05, 0.1].into_iter().find(|step| (high - low) / step <= 5.0).unwrap_or(0.2);
        let low = ((low / step - 0.2).floor() * step).max(0.0);
        let high = ((high / step + 0.2).ceil() * step).min(1.0).max(low + step);
        let ticks = (0..=((high - low) / step).round() as usize).map(|tick| low + tick as f64 * step);
        let ticks = ticks.map(|tick| (tick, format!("{tick:.2}")));
        Self { label: label.to_string(), low, high, ticks: ticks.collect() }
    }

    /// Counts, those of one class above 0 and those of another below.
    pub(super) fn mirrored_counts(label: &str, above: usize, below: usize) -> Self {
        let most = above.max(below).max(1);
        let magnitude = 10_f64.powf((most as f64 / 4.0).log10().floor()).max(1.0);
        let steps = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * magnitude);
        let step = steps.into_iter().find(|step| (most as f64 / step).ceil() <= 4.0).unwrap_or(10.0 * magnitude);
        let edge = |count: usize| (count as f64 / step).ceil().max(1.0);
        let (above, below) = (edge(above), edge(below));
        let ticks = (0..=(above + below) as usize).map(|tick| (tick as f64 - below) * step);
        let ticks = ticks.map(|tick| (tick, format!("{}", tick.abs())));
        Self { label: label.to_string(), low: -below * step, high: above * step, ticks: ticks.collect() }
    }

    /// The values that occur and no others.
    pub(super) fn values(label: &str, values: &[f64]) -> Self {
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let room = if high > low { 0.08 * (high - low) } else { 1.0 };
        let ticks = values.iter().map(|&value| (value, value.to_string())).collect();
        Self { label: label.to_string(), low: low - room, high: high + room, ticks }
    }

    /// Where `value` lies between the ends, 0 to 1.
    fn place(&self, value: f64) -> f64 {
        ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }

    /// Whether `value` is between the ends.
    pub(super) fn contains(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }

    /// A label at every n-th tick, so that none touches the next.
    fn labelled(&self, width: f64) -> impl Iterator<Item = &(f64, String)> {
        let longest = self.ticks.iter().map(|(_, text)| text.len()).max().unwrap_or(1);
        let mut free = f64::NEG_INFINITY;
        self.ticks.iter().filter(move |(value, _)| {
            let place = self.place(*value) * width;
            let fits = place >= free;
            if fits {
                free = place + 8.0 * longest as f64 + 6.0;
            }
            fits
        })
    }
}

/// The class of a series: its colour.
pub(super) fn series(index: usize) -> String {
    format!("s{}", index % SERIES + 1)
}

/// How a key looks.
#[derive(Clone, Copy)]
pub(super) enum Sign {
    /// A line, with more classes.
    Line(&'static str),
    /// A filled square.
    Bar,
    /// A line with the marker of that number.
    Marked(&'static str, usize),
    /// A dot alone.
    Dot,
}

/// An entry above the plot.
pub(super) struct Key {
    pub(super) class: String,
    pub(super) sign: Sign,
    pub(super) text: String,
}

impl Key {
    pub(super) fn new(class: impl Into<String>, sign: Sign, text: impl Into<String>) -> Self {
        Self { class: class.into(), sign, text: text.into() }
    }
}

/// How large a plot is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Size {
    /// One that stands alone.
    Full,
    /// One of many alike, whose keys stand beside them.
    Small,
}

impl Size {
    fn width(self) -> f64 {
        if self == Self::Full { 440.0 } else { 250.0 }
    }

    /// From axis to axis.
    fn height(self) -> f64 {
        if self == Self::Full { 270.0 } else { 150.0 }
    }
}

/// A plot under construction.
pub(super) struct Chart {
    pub(super) size: Size,
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) keys: Vec<Key>,
}

impl Chart {
    fn top(&self) -> f64 {
        TOP + KEY * self.keys.len() as f64 + 4.0
    }

    fn whole_size(&self) -> (f64, f64) {
        (self.size.width(), self.top() + self.size.height() + BOTTOM)
    }

    /// From values to the drawing.
    pub(super) fn at(&self, x: f64, y: f64) -> (f64, f64) {
        (LEFT + self.x.place(x) * (self.size.width() - LEFT - RIGHT), self.top() + (1.0 - self.y.place(y)) * self.size.height())
    }

    /// A line through points.
    pub(super) fn line(&self, class: &str, points: impl IntoIterator<Item = (f64, f64)>) -> Markup {
        path(&format!("line {class}"), points.into_iter().map(|(x, y)| self.at(x, y)))
    }

    /// A bar between two corners.
    pub(super) fn bar(&self, class: &str, low: (f64, f64), high: (f64, f64), tooltip: &str) -> Markup {
        let ((left, bottom), (right, top)) = (self.at(low.0, low.1), self.at(high.0, high.1));
        html! {
            rect class=(format!("bar {class}")) x=(pixels(left + 0.75)) y=(pixels(top))
                width=(pixels((right - left - 1.5).max(0.5))) height=(pixels(bottom - top)) { title { (tooltip) } }
        }
    }

    /// The marker of number `shape` at a point, moved to the right by `shift`.
    pub(super) fn mark(&self, class: &str, shape: usize, point: (f64, f64), shift: f64, tooltip: &str) -> Markup {
        let (x, y) = self.at(point.0, point.1);
        marker(&format!("mark {class}"), shape, (x + shift, y), tooltip)
    }

    /// Text below the axis or in the plot.
    pub(super) fn text(&self, class: &str, point: (f64, f64), offset: (f64, f64), text: &str) -> Markup {
        let (x, y) = self.at(point.0, point.1);
        html! { text class=(class) x=(pixels(x + offset.0)) y=(pixels(y + offset.1)) { (text) } }
    }

    /// Frame, keys and marks together.
    pub(super) fn drawing(&self, name: impl Into<String>, (title, description): (&str, String), marks: Markup) -> Drawing {
        let body = html! { (self.legend()) (self.frame()) (marks) };
        Drawing { name: name.into(), title: title.to_string(), description, size: self.whole_size(), body }
    }

    fn legend(&self) -> Markup {
        html! {
            @for (index, key) in self.keys.iter().enumerate() {
                @let y = TOP + KEY * index as f64 + 6.0;
                g class=(key.class) { (sign(key.sign, y)) }
                text class="name" x=(LEFT + 36.0) y=(y + 4.5) { (short(&key.text, 44)) }
            }
        }
    }

    fn frame(&self) -> Markup {
        let (left, right, top, bottom) = (LEFT, self.size.width() - RIGHT, self.top(), self.top() + self.size.height());
        html! {
            @for (tick, _) in &self.x.ticks {
                @let x = pixels(self.at(*tick, self.y.low).0);
                line class="grid" x1=(x) x2=(x) y1=(top) y2=(bottom) {}
            }
            @for (tick, text) in &self.y.ticks {
                @let y = self.at(self.x.low, *tick).1;
                line class="grid" x1=(left) x2=(right) y1=(pixels(y)) y2=(pixels(y)) {}
                text class="end" x=(left - 7.0) y=(pixels(y + 4.0)) { (text) }
            }
            @for (tick, text) in self.x.labelled(right - left) {
                text class="middle" x=(pixels(self.at(*tick, self.y.low).0)) y=(bottom + 17.0) { (text) }
            }
            line class="axis" x1=(left) x2=(right) y1=(bottom) y2=(bottom) {}
            text class="middle" x=((left + right) / 2.0) y=(bottom + 37.0) { (self.x.label) }
            @let middle = (top + bottom) / 2.0;
            text class="middle" x="13" y=(middle) transform=(format!("rotate(-90 13 {middle})")) { (self.y.label) }
        }
    }
}

/// A coordinate to a tenth of a pixel.
fn pixels(value: f64) -> String {
    format!("{value:.1}")
}

fn path(class: &str, points: impl Iterator<Item = (f64, f64)>) -> Markup {
    let steps = points.enumerate().map(|(index, (x, y))| format!("{}{x:.1} {y:.1}", if index == 0 { 'M' } else { 'L' }));
    html! { path class=(class) d=(steps.collect::<String>()) {} }
}

fn sign(sign: Sign, y: f64) -> Markup {
    let line = |classes: &str| path(&format!("line {classes}"), [(LEFT, y), (LEFT + 26.0, y)].into_iter());
    match sign {
        Sign::Line(classes) => line(classes),
        Sign::Bar => html! { rect class="bar" x=(LEFT + 7.0) y=(y - 6.0) width="12" height="12" {} },
        Sign::Marked(classes, shape) => {
            html! { (line(classes)) (marker(&format!("mark {}", hollow(classes)), shape, (LEFT + 13.0, y), "")) }
        }
        Sign::Dot => marker("mark", 0, (LEFT + 13.0, y), ""),
    }
}

/// Dashed lines have hollow markers.
pub(super) fn hollow(classes: &str) -> &'static str {
    if classes.contains("dashed") { "hollow" } else { "" }
}

/// Circle, square, triangle, diamond.
fn marker(class: &str, shape: usize, (x, y): (f64, f64), tooltip: &str) -> Markup {
    let outline = match shape % 4 {
        1 => format!("M{:.1} {:.1}h7.4v7.4h-7.4Z", x - 3.7, y - 3.7),
        2 => format!("M{x:.1} {:.1}l4.6 8h-9.2Z", y - 4.9),
        3 => format!("M{x:.1} {:.1}l5 5l-5 5l-5 -5Z", y - 5.0),
        _ => format!("M{:.1} {y:.1}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0Z", x - 4.0),
    };
    html! {
        path class=(class) d=(outline) {
            @if !tooltip.is_empty() { title { (tooltip) } }
        }
    }
}
