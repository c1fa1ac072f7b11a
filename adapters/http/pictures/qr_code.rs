//! QR codes (ISO/IEC 18004) as pictures.

use image::{GrayImage, ImageFormat, Luma};
use qrcode::QrCode;
use qrcode::render::svg;

/// The side of a module, in pixels.
const PIXELS: u32 = 6;
/// The white margin, in modules.
const QUIET: u32 = 4;

/// A text as a QR code.
pub(crate) struct Picture {
    pub(crate) svg: String,
    pub(crate) png: Vec<u8>,
}

/// Draws a text. Returns `None` if it is too long for a QR code.
pub(crate) fn draw(text: &str) -> Option<Picture> {
    let code = QrCode::new(text).ok()?;
    let svg = code.render::<svg::Color<'_>>().min_dimensions(200, 200).build();
    Some(Picture { svg, png: png(&code)? })
}

fn png(code: &QrCode) -> Option<Vec<u8>> {
    let width = u32::try_from(code.width()).ok()?;
    let modules = code.to_colors();
    let side = (width + 2 * QUIET) * PIXELS;
    let picture = GrayImage::from_fn(side, side, |x, y| {
        let module = |pixel: u32| (pixel / PIXELS).checked_sub(QUIET).filter(|module| *module < width);
        let place = module(x).zip(module(y)).map(|(x, y)| usize::try_from(y * width + x));
        let dark = place.and_then(Result::ok).and_then(|place| modules.get(place));
        Luma([if dark.is_some_and(|module| *module == qrcode::Color::Dark) { 0 } else { 255 }])
    });
    let mut png = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut png, ImageFormat::Png).ok()?;
    Some(png.into_inner())
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_text_is_drawn_as_svg_and_as_png() {
        let picture = super::draw("otpauth://totp/MyCCV:marie@example.be?secret=ABC").unwrap();
        assert!(picture.svg.contains("<svg") && picture.png.starts_with(b"\x89PNG"));
        assert!(super::draw(&"x".repeat(5000)).is_none());
    }
}
