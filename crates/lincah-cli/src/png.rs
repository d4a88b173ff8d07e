//! An SVG as PNG.

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree};
use std::sync::Arc;

/// DejaVu Sans, Latin, Greek and Cyrillic only: numbers and most names can be drawn on a machine without fonts. Its licence lies beside it.
const FONT: &[u8] = include_bytes!("fonts/dejavu-sans.ttf");
/// Pixels for each pixel of the SVG.
const SCALE: f32 = 2.0;

/// The picture; letters that the font lacks are taken from the system's fonts, if it has some.
pub(crate) fn from_svg(svg: &str) -> anyhow::Result<Vec<u8>> {
    let mut options = Options { font_family: String::from("DejaVu Sans"), ..Options::default() };
    let fonts = Arc::make_mut(&mut options.fontdb);
    fonts.load_font_data(FONT.to_vec());
    fonts.load_system_fonts();
    let tree = Tree::from_str(svg, &options)?;
    let size = tree.size().to_int_size().scale_by(SCALE).ok_or_else(|| anyhow::anyhow!("the plot has no size"))?;
    let mut picture =
        Pixmap::new(size.width(), size.height()).ok_or_else(|| anyhow::anyhow!("the plot is too large for a picture"))?;
    resvg::render(&tree, Transform::from_scale(SCALE, SCALE), &mut picture.as_mut());
    Ok(picture.encode_png()?)
}
