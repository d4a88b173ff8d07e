//! Colours and style sheets.

/// Name, colour on light ground and on paper, colour on dark ground. Text colours keep a contrast of at least 4.5 : 1 to their ground; the
/// series can be told apart with the common kinds of colour blindness, and differ in dash or marker besides.
const PALETTE: [(&str, &str, &str); 14] = [
    ("ground", "#ffffff", "#14181d"),
    ("panel", "#f6f7f9", "#1c2229"),
    ("rule", "#d9dde3", "#333c47"),
    ("ink", "#1a1f26", "#e7eaee"),
    ("muted", "#57606c", "#a3adb9"),
    ("grid", "#e6e9ed", "#2a323b"),
    ("notice", "#fff6dd", "#33290f"),
    ("notice-rule", "#d9a400", "#a88420"),
    ("series-1", "#1f5fa6", "#6fb1f5"),
    ("series-2", "#b3590a", "#f0a35a"),
    ("series-3", "#177a5b", "#5cc9a3"),
    ("series-4", "#8a3d94", "#d094dc"),
    ("series-5", "#5f6b12", "#b9c65a"),
    ("series-6", "#a33248", "#f08a9c"),
];

/// Series that have a colour of their own; further ones begin again.
pub(super) const SERIES: usize = 6;

const PAGE: &str = include_str!("page.css");
const PLOT: &str = include_str!("plot.css");

/// The page's style sheet: light, dark if the reader's system is, and light on paper.
pub(super) fn page() -> String {
    let colours = |of: fn(&(&str, &str, &'static str)) -> String| PALETTE.iter().map(of).collect::<String>();
    let light = colours(|(name, light, _)| format!("--{name}:{light};"));
    let dark = colours(|(name, _, dark)| format!("--{name}:{dark};"));
    format!(
        ":root{{color-scheme:light dark;{light}}}\n@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}\n{PAGE}{PLOT}"
    )
}

/// The style sheet inside a plot's own file: light colours, written out, as few programs but browsers know variables.
pub(super) fn plot() -> String {
    PALETTE.iter().fold(PLOT.to_string(), |css, (name, light, _)| css.replace(&format!("var(--{name})"), light))
}
