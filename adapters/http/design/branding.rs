//! The supplier's colour and logo on the pages.
//!
//! The colour replaces the accent of the style sheet: links, buttons, marks. Text in it, and on it, must be readable (WCAG 2.2,
//! 1.4.3: a contrast of at least 4.5 to 1). On dark pages a lighter shade of it is used.

use std::fmt;
use std::str::FromStr;

use axum::Router;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;

use super::assets::{KEPT, hashed_path};

/// The contrast that text needs (WCAG 2.2, 1.4.3).
const READABLE: f64 = 4.5;
/// What is behind text in the accent: the cards and the paper of the style sheet.
const LIGHT: [Colour; 2] = [Colour([0xff, 0xff, 0xff]), Colour([0xf6, 0xf5, 0xf1])];
const DARK: [Colour; 2] = [Colour([0x1b, 0x21, 0x1e]), Colour([0x12, 0x16, 0x14])];
const WHITE: Colour = Colour([0xff; 3]);
/// How much of the accent is in the tint of a marked place, in hundredths.
const TINT: u16 = 12;
/// The largest logo, in bytes.
const LARGEST: usize = 60_000;
/// What an SVG picture may do that somebody opens by itself: nothing.
const ALONE: &str = "default-src 'none'; style-src 'unsafe-inline'; sandbox";

/// A colour in sRGB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour([u8; 3]);

/// Why a colour or a logo can't be used.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum BrandingRefused {
    /// It is not written as `#0f5c4a`.
    #[error("it must be a colour such as #0f5c4a")]
    NoColour,
    /// White text on it, or text in it, could not be read.
    #[error(
        "it is too light: text in it has a contrast of {0:.1} to 1, and 4.5 to 1 is needed. Choose a darker colour"
    )]
    TooLight(f64),
    /// The file is neither a PNG nor an SVG picture.
    #[error("it must be a PNG or an SVG picture")]
    NoPicture,
    /// Every page shows it.
    #[error("it has {0} bytes, and at most {LARGEST} are allowed, because every page shows it")]
    TooLarge(usize),
}

impl FromStr for Colour {
    type Err = BrandingRefused;

    fn from_str(text: &str) -> Result<Self, BrandingRefused> {
        let digits = text.strip_prefix('#').ok_or(BrandingRefused::NoColour)?;
        let mut parts = [0; 3];
        let length = parts.len();
        let read = base16ct::mixed::decode(digits, &mut parts).map_err(|_| BrandingRefused::NoColour)?;
        if read.len() == length { Ok(Self(parts)) } else { Err(BrandingRefused::NoColour) }
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

impl Colour {
    /// The relative luminance, from 0 for black to 1 for white (WCAG 2.2, definitions).
    fn luminance(self) -> f64 {
        let linear = |part: u8| {
            let part = f64::from(part) / 255.0;
            if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        };
        let [red, green, blue] = self.0.map(linear);
        0.2126f64.mul_add(red, 0.7152f64.mul_add(green, 0.0722 * blue))
    }

    /// The contrast ratio, from 1 to 21 (WCAG 2.2, definitions).
    fn contrast(self, other: Self) -> f64 {
        let (one, two) = (self.luminance() + 0.05, other.luminance() + 0.05);
        if one > two { one / two } else { two / one }
    }

    /// This colour with some hundredths of another one.
    fn with(self, hundredths: u16, other: Self) -> Self {
        let mut mixed = self.0;
        for (part, other) in mixed.iter_mut().zip(other.0) {
            let sum = u16::from(*part) * (100 - hundredths) + u16::from(other) * hundredths;
            *part = u8::try_from((sum + 50) / 100).unwrap_or(u8::MAX);
        }
        Self(mixed)
    }

    /// The least contrast of text in this colour, on these grounds and on the tint of the first.
    fn least_contrast(self, [card, paper]: [Self; 2]) -> f64 {
        let tint = card.with(TINT, self);
        [card, paper, tint].map(|ground| self.contrast(ground)).into_iter().fold(f64::INFINITY, f64::min)
    }

    /// A shade of this colour that can be read on dark grounds.
    fn for_the_dark(self) -> Self {
        let shades = (0..=100).step_by(4).map(|white| self.with(white, WHITE));
        shades.into_iter().find(|shade| shade.least_contrast(DARK) >= READABLE).unwrap_or(WHITE)
    }
}

/// A file that the pages use besides the assets.
#[derive(Clone)]
struct File {
    path: String,
    kind: &'static str,
    contents: Vec<u8>,
}

/// A colour that stands out, and the colour of text on it.
pub(crate) type Accent = (Colour, Colour);

/// The accents of the style sheet: on light pages and on dark ones.
const USUAL: [Accent; 2] =
    [(Colour([0x0f, 0x5c, 0x4a]), WHITE), (Colour([0x7f, 0xd6, 0xbb]), Colour([0x06, 0x23, 0x1b]))];

/// The supplier's colour and logo.
#[derive(Clone, Default)]
pub struct Branding {
    style: Option<File>,
    colour: Option<Colour>,
    logo: Option<File>,
}

impl Branding {
    /// Replaces the accent of the pages.
    ///
    /// # Errors
    /// [`BrandingRefused::TooLight`] if text could not be read.
    pub fn with_colour(self, colour: Colour) -> Result<Self, BrandingRefused> {
        let least = colour.least_contrast(LIGHT);
        if least < READABLE {
            return Err(BrandingRefused::TooLight(least));
        }
        let dark = colour.for_the_dark();
        let ([light_card, _], [dark_card, _]) = (LIGHT, DARK);
        let variables = |accent: Colour, on: Colour, card: Colour| {
            format!(":root{{--accent:{accent};--on-accent:{on};--tint:{}}}", card.with(TINT, accent))
        };
        let style = format!(
            "{}\n@media (prefers-color-scheme:dark){{{}}}\n",
            variables(colour, WHITE, light_card),
            variables(dark, DARK[1], dark_card),
        );
        let contents = style.into_bytes();
        let path = hashed_path("brand", "css", &contents);
        let style = Some(File { path, kind: "text/css; charset=utf-8", contents });
        Ok(Self { style, colour: Some(colour), ..self })
    }

    /// The accent on light and on dark ground, for what has no style sheet, such as mails.
    #[must_use]
    pub fn accents(&self) -> [Accent; 2] {
        self.colour.map_or(USUAL, |colour| [(colour, WHITE), (colour.for_the_dark(), DARK[1])])
    }

    /// Shows a picture in place of the latch.
    ///
    /// # Errors
    /// [`BrandingRefused::NoPicture`] or [`BrandingRefused::TooLarge`].
    pub fn with_logo(self, contents: Vec<u8>) -> Result<Self, BrandingRefused> {
        if contents.len() > LARGEST {
            return Err(BrandingRefused::TooLarge(contents.len()));
        }
        let is_svg = std::str::from_utf8(&contents).is_ok_and(|text| text.contains("<svg"));
        let (ending, kind) = match (contents.starts_with(b"\x89PNG\r\n\x1a\n"), is_svg) {
            (true, _) => ("png", "image/png"),
            (_, true) => ("svg", "image/svg+xml"),
            _ => return Err(BrandingRefused::NoPicture),
        };
        let path = hashed_path("logo", ending, &contents);
        Ok(Self { logo: Some(File { path, kind, contents }), ..self })
    }

    /// The path of the style sheet with the colour, without the leading slash.
    pub(crate) fn style(&self) -> Option<&str> {
        self.style.as_ref().map(|file| file.path.as_str())
    }

    /// The path of the logo, without the leading slash.
    pub(crate) fn logo(&self) -> Option<&str> {
        self.logo.as_ref().map(|file| file.path.as_str())
    }

    /// The routes of its files.
    pub(crate) fn routes<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        let files = self.style.iter().chain(&self.logo);
        files.fold(Router::new(), |routes, file| {
            let path = format!("/{}", file.path);
            let File { kind, contents, .. } = file.clone();
            let answer = move || {
                let headers = [
                    (header::CONTENT_TYPE, kind),
                    (header::CACHE_CONTROL, KEPT),
                    (header::CONTENT_SECURITY_POLICY, ALONE),
                ];
                std::future::ready((headers, contents.clone()).into_response())
            };
            routes.route(&path, get(answer))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn colour(text: &str) -> Colour {
        text.parse().unwrap()
    }

    /// The examples of WCAG 2.2: black on white, and the lightest grey that passes.
    #[test]
    fn contrast_is_that_of_wcag() {
        assert!((colour("#000000").contrast(WHITE) - 21.0).abs() < 1e-9);
        assert!((colour("#767676").contrast(WHITE) - 4.54).abs() < 0.01);
        assert!((colour("#ffffff").contrast(WHITE) - 1.0).abs() < 1e-9);
    }

    /// Otherwise the contrast would be judged on grounds that no page has.
    #[test]
    fn the_grounds_are_those_of_the_style_sheet() {
        let style = include_str!("assets/style.css");
        let (light, dark) = style.split_once("prefers-color-scheme: dark").unwrap();
        for (part, [card, paper]) in [(light, LIGHT), (dark, DARK)] {
            let grounds = format!("--paper: {paper}; --card: {card};");
            assert!(part.contains(&grounds), "{grounds}");
        }
        for (part, (accent, on)) in [light, dark].into_iter().zip(USUAL) {
            let accents = format!("--accent: {accent}; --on-accent: {on};");
            assert!(part.contains(&accents), "{accents}");
        }
    }

    #[test]
    fn a_colour_is_taken_if_text_can_be_read_by_day_and_by_night() {
        for text in ["#0f5c4a", "#003366", "#8a1538", "#000000", "#4b2e83", "#B00020"] {
            let colour = colour(text);
            assert!(Branding::default().with_colour(colour).is_ok(), "{text}");
            assert!(colour.for_the_dark().least_contrast(DARK) >= READABLE, "{text}");
        }
        for text in ["#ffffff", "#ffcc00", "#00b3a4", "#ff6600", "#7fd6bb"] {
            let refused = Branding::default().with_colour(colour(text)).err();
            assert!(matches!(refused, Some(BrandingRefused::TooLight(_))), "{text}: {refused:?}");
        }
        for text in ["", "0f5c4a", "#0f5c4", "#0f5c4a0", "#0f5c4g", "green", "#0F5C4A ", "#é12"] {
            assert_eq!(text.parse::<Colour>(), Err(BrandingRefused::NoColour), "{text}");
        }
    }

    #[test]
    fn a_logo_is_a_small_picture() {
        let kind = |bytes: &[u8]| {
            let logo = Branding::default().with_logo(bytes.to_vec())?.logo.map(|logo| logo.kind);
            Ok(logo.unwrap_or_default())
        };
        assert_eq!(kind(b"\x89PNG\r\n\x1a\n..."), Ok("image/png"));
        assert_eq!(kind(b"<?xml version='1.0'?><svg/>"), Ok("image/svg+xml"));
        assert_eq!(kind(b"GIF89a"), Err(BrandingRefused::NoPicture));
        assert_eq!(kind(&vec![b'x'; LARGEST + 1]), Err(BrandingRefused::TooLarge(LARGEST + 1)));
    }
}
