//! Logos for receipts. A received picture is decoded within limits and drawn again. The received file is
//! never stored or served.

use std::io::Cursor;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::imageops::FilterType;
use image::metadata::Orientation;
use image::{DynamicImage, GrayImage, ImageDecoder, ImageFormat, ImageReader, Limits, Luma};
use loquet_domain::logo::Logo;
use tokio::sync::Semaphore;

/// The largest picture that is accepted, in bytes.
pub(crate) const MOST_BYTES: usize = 512 * 1024;
/// The largest side of a picture, in pixels.
pub(crate) const LARGEST_SIDE: u32 = 2_000;
/// The most pixels of a picture. A printer with 384 dots needs far fewer.
pub(crate) const MOST_PIXELS: u32 = 1024 * 1024;
/// The widest stored picture: the dots of a 58 mm printer.
const WIDTH: u32 = 384;
/// The highest stored picture.
const HEIGHT: u32 = 200;
/// The most memory for decoding, in bytes: twice the largest picture with eight bytes a pixel.
const MOST_MEMORY: u64 = 16 * 1024 * 1024;
/// How long a request waits for a place.
const PATIENCE: Duration = Duration::from_secs(3);

/// Why a file is not accepted as a logo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoLogo {
    /// The text is not base64.
    #[error("the picture is not base64")]
    NotBase64,
    /// The picture has too many bytes.
    #[error("a picture has at most {MOST_BYTES} bytes")]
    TooLarge,
    /// The picture is neither PNG nor JPEG, or it is damaged.
    #[error("the picture is not a readable PNG or JPEG")]
    Unreadable,
    /// The picture has too many pixels.
    #[error("a picture has at most {LARGEST_SIDE} pixels a side and {MOST_PIXELS} in all")]
    TooManyPixels,
}

/// Limits how many pictures are drawn at once. Drawing keeps a core busy, and the server needs cores for
/// other work, so there are only one or two places: see [`Drawing::on`].
#[derive(Clone, Debug)]
pub struct Drawing {
    places: Arc<Semaphore>,
}

/// Why no picture was drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotDrawn {
    /// Every place is taken, and too many pictures wait for one to become free in time.
    #[error("too many pictures at once")]
    Busy {
        /// The moment when the requests that wait now will be done.
        retry_after: Duration,
    },
    /// Drawing failed.
    #[error("drawing a picture failed")]
    Failed,
}

impl Drawing {
    /// Makes one place. Makes two if there are four cores or more.
    #[must_use]
    pub fn on(cores: NonZeroUsize) -> Self {
        Self { places: Arc::new(Semaphore::new((cores.get() / 2).clamp(1, 2))) }
    }

    /// Runs `drawing` in a place of its own, on a thread that may block. Requests are served in their order. If the
    /// caller stops waiting, the drawing continues and keeps its place until it is done.
    ///
    /// # Errors
    /// [`NotDrawn`] if no place became free in time, or if drawing failed.
    pub(crate) async fn draw<T: Send + 'static>(
        &self,
        drawing: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, NotDrawn> {
        let place = tokio::time::timeout(PATIENCE, self.places.clone().acquire_owned()).await;
        let place = place.map_err(|_| NotDrawn::Busy { retry_after: PATIENCE })?;
        let place = place.map_err(|_| NotDrawn::Failed)?;
        let drawn = tokio::task::spawn_blocking(move || {
            let drawn = drawing();
            drop(place);
            drawn
        });
        drawn.await.map_err(|_| NotDrawn::Failed)
    }
}

/// Decodes a picture in base64 and draws it again: upright as its Exif orientation says, grey, on white, and no larger
/// than a receipt's width.
///
/// # Errors
/// [`NoLogo`] says what is wrong with it.
pub(crate) fn read(base64: &str) -> Result<Logo, NoLogo> {
    if base64.len() > MOST_BYTES / 3 * 4 + 4 {
        return Err(NoLogo::TooLarge);
    }
    let bytes = STANDARD.decode(base64.trim()).map_err(|_| NoLogo::NotBase64)?;
    let drawn = draw(&decode(&bytes)?);
    let (width, height) = drawn.dimensions();
    let mut png = Cursor::new(Vec::new());
    drawn.write_to(&mut png, ImageFormat::Png).map_err(|_| NoLogo::Unreadable)?;
    Ok(Logo { png: STANDARD.encode(png.into_inner()), width, height })
}

/// The size is checked before any pixel is decoded, because a small file can claim to be a huge picture.
fn decode(bytes: &[u8]) -> Result<DynamicImage, NoLogo> {
    let open = || {
        let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format();
        let mut reader = reader.map_err(|_| NoLogo::Unreadable)?;
        let known = matches!(reader.format(), Some(ImageFormat::Png | ImageFormat::Jpeg));
        let mut limits = Limits::default();
        limits.max_alloc = Some(MOST_MEMORY);
        reader.limits(limits);
        if known { Ok(reader) } else { Err(NoLogo::Unreadable) }
    };
    let (width, height) = open()?.into_dimensions().map_err(|_| NoLogo::Unreadable)?;
    if width.max(height) > LARGEST_SIDE || width.saturating_mul(height) > MOST_PIXELS {
        return Err(NoLogo::TooManyPixels);
    }
    let mut decoder = open()?.into_decoder().map_err(|_| NoLogo::Unreadable)?;
    // A damaged orientation makes no difference to viewers, so it makes none here.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut picture = DynamicImage::from_decoder(decoder).map_err(|_| NoLogo::Unreadable)?;
    picture.apply_orientation(orientation);
    Ok(picture)
}

fn draw(picture: &DynamicImage) -> GrayImage {
    let fits = picture.width() <= WIDTH && picture.height() <= HEIGHT;
    let resized = if fits { picture.clone() } else { picture.resize(WIDTH, HEIGHT, FilterType::Triangle) };
    let seen = resized.to_luma_alpha8();
    let mut drawn = GrayImage::new(seen.width(), seen.height());
    for (pixel, on) in seen.pixels().zip(drawn.pixels_mut()) {
        let [grey, alpha] = pixel.0.map(u32::from);
        let white = (grey * alpha + 255 * (255 - alpha)) / 255;
        *on = Luma([u8::try_from(white).unwrap_or(u8::MAX)]);
    }
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(logo: &Logo) -> Vec<u8> {
        STANDARD.decode(&logo.png).unwrap()
    }
    use image::{Rgba, RgbaImage};

    fn encoded(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    fn base64(bytes: &[u8]) -> String {
        STANDARD.encode(bytes)
    }

    #[test]
    fn a_picture_is_drawn_anew_grey_on_white_and_no_wider_than_a_receipt() {
        let clear = RgbaImage::from_pixel(800, 100, Rgba([0, 0, 0, 0]));
        let sent = encoded(&clear.into(), ImageFormat::Png);
        let logo = read(&base64(&sent)).unwrap();
        assert_eq!((logo.width, logo.height), (384, 48));
        assert_ne!(png(&logo), sent);
        let kept = image::load_from_memory(&png(&logo)).unwrap();
        assert_eq!(kept.to_luma8().get_pixel(10, 10).0, [255], "what is clear is white");
        let red = RgbaImage::from_pixel(40, 20, Rgba([200, 0, 0, 255]));
        let red = DynamicImage::from(red).to_rgb8();
        let logo = read(&base64(&encoded(&red.into(), ImageFormat::Jpeg))).unwrap();
        assert_eq!((logo.width, logo.height), (40, 20));
    }

    /// Exif data that says: shown, the stored picture is turned clockwise by a quarter.
    const TURNED: &[u8] = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";

    #[test]
    fn a_picture_with_an_orientation_is_kept_as_a_viewer_shows_it() {
        // Stored upright, the lower half is black. Shown, it lies, and the left half is black.
        let stored = RgbaImage::from_fn(30, 60, |_, y| Rgba(if y < 30 { [255; 4] } else { [0, 0, 0, 255] }));
        let stored = DynamicImage::from(DynamicImage::from(stored).to_rgb8());
        let mut jpeg = encoded(&stored, ImageFormat::Jpeg);
        let app1 = [b"\xff\xe1\0\x22Exif\0\0", TURNED].concat();
        jpeg.splice(2..2, app1);
        let mut png_sent = encoded(&stored, ImageFormat::Png);
        let content = [b"eXIf", TURNED].concat();
        let length = u32::try_from(TURNED.len()).unwrap().to_be_bytes();
        let chunk = [&length, content.as_slice(), &crc32(&content).to_be_bytes()].concat();
        // The first chunk, IHDR, ends here.
        png_sent.splice(33..33, chunk);
        for sent in [jpeg, png_sent] {
            let logo = read(&base64(&sent)).unwrap();
            assert_eq!((logo.width, logo.height), (60, 30));
            let kept = image::load_from_memory(&png(&logo)).unwrap().to_luma8();
            assert!(kept.get_pixel(5, 15).0[0] < 20 && kept.get_pixel(55, 15).0[0] > 235);
        }
    }

    #[test]
    fn what_stands_behind_a_picture_is_not_kept() {
        let white = RgbaImage::from_pixel(4, 4, Rgba([255; 4]));
        let mut sent = encoded(&white.into(), ImageFormat::Png);
        sent.extend(b"<script>alert(1)</script>");
        let kept = png(&read(&base64(&sent)).unwrap());
        assert!(!kept.windows(7).any(|window| window == b"<script"));
    }

    #[test]
    fn a_picture_that_says_it_is_huge_is_refused_unread() {
        let small = RgbaImage::from_pixel(4, 4, Rgba([255; 4]));
        let mut bomb = encoded(&small.into(), ImageFormat::Png);
        for (width, height) in [(60_000, 4), (4, 60_000), (1_025, 1_024), (2_000, 525), (60_000, 60_000)] {
            // The sides in the IHDR chunk, and its checksum.
            bomb.splice(16..20, u32::to_be_bytes(width));
            bomb.splice(20..24, u32::to_be_bytes(height));
            let crc = crc32(&bomb[12..29]);
            bomb.splice(29..33, crc.to_be_bytes());
            assert_eq!(read(&base64(&bomb)), Err(NoLogo::TooManyPixels), "{width} by {height}");
        }
    }

    #[test]
    fn the_largest_picture_is_taken_with_sixteen_bits_a_colour_too() {
        let large = image::ImageBuffer::<Rgba<u16>, _>::from_pixel(1_024, 1_024, Rgba([9; 4]));
        let logo = read(&base64(&encoded(&large.into(), ImageFormat::Png))).unwrap();
        assert_eq!((logo.width, logo.height), (200, 200));
    }

    #[tokio::test(start_paused = true)]
    async fn who_finds_no_place_in_time_is_sent_away_and_told_when_to_come_again() {
        let drawing = Drawing::on(NonZeroUsize::new(3).unwrap());
        let (finish, finished) = std::sync::mpsc::channel::<()>();
        let first = tokio::spawn({
            let drawing = drawing.clone();
            async move { drawing.draw(move || finished.recv().is_ok()).await }
        });
        while drawing.places.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let busy = Err(NotDrawn::Busy { retry_after: PATIENCE });
        let waits = || {
            let drawing = drawing.clone();
            tokio::spawn(async move { drawing.draw(|| 1).await })
        };
        let waiting = [waits(), waits()];
        tokio::task::yield_now().await;
        // Paused time does not advance by itself while something is drawn.
        tokio::time::advance(PATIENCE.saturating_sub(Duration::from_millis(1))).await;
        assert!(waiting.iter().all(|waiting| !waiting.is_finished()), "they are sent away too soon");
        tokio::time::advance(Duration::from_millis(1)).await;
        for waiting in waiting {
            assert_eq!(waiting.await.unwrap(), busy);
        }
        // Nobody waits for this picture any more, but it still has its place.
        first.abort();
        let late = waits();
        tokio::task::yield_now().await;
        tokio::time::advance(PATIENCE).await;
        assert_eq!(late.await.unwrap(), busy);
        finish.send(()).unwrap();
        assert_eq!(drawing.draw(|| 4).await, Ok(4));
    }

    #[tokio::test]
    async fn a_drawing_that_panics_gives_its_place_back() {
        let drawing = Drawing::on(NonZeroUsize::MIN);
        assert_eq!(drawing.draw(|| -> u32 { panic!("broken") }).await, Err(NotDrawn::Failed));
        assert_eq!(drawing.draw(|| 1).await, Ok(1));
    }

    #[test]
    fn what_is_no_picture_is_refused() {
        assert_eq!(read("not base64!"), Err(NoLogo::NotBase64));
        assert_eq!(read(&base64(b"GIF89a......")), Err(NoLogo::Unreadable));
        assert_eq!(read(&base64(b"<svg xmlns='http://www.w3.org/2000/svg'/>")), Err(NoLogo::Unreadable));
        assert_eq!(read(""), Err(NoLogo::Unreadable));
        let whole = encoded(&RgbaImage::from_pixel(64, 64, Rgba([9; 4])).into(), ImageFormat::Png);
        assert_eq!(read(&base64(&whole[..whole.len() / 2])), Err(NoLogo::Unreadable));
        assert_eq!(read(&"A".repeat(800_000)), Err(NoLogo::TooLarge));
    }

    fn crc32(bytes: &[u8]) -> u32 {
        let step = |crc: u32| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
        !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc)))
    }
}
