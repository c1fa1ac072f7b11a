//! An extract as one file that can be downloaded.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use anyhow::Context;
use loquet_files::create_private;
use tokio::task::{block_in_place, yield_now};
use zip::CompressionMethod;
use zip::write::{SimpleFileOptions, ZipWriter};

/// Bytes that are compressed before other tasks get the thread.
const PART: u64 = 4 * 1024 * 1024;

/// Packs all files of a folder into an archive (ZIP), and removes the folder. Returns the size of the archive in bytes.
/// `may_go_on` is asked before each part.
///
/// # Errors
/// A file can't be read or written, or `may_go_on` ends the work.
pub(super) async fn pack(
    folder: &Path,
    archive: &Path,
    may_go_on: &(dyn Fn() -> anyhow::Result<()> + Sync),
) -> anyhow::Result<u64> {
    let mut zip = ZipWriter::new(create_private(archive)?);
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .unix_permissions(0o600)
        .large_file(true);
    let mut names: Vec<_> =
        std::fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name())).collect::<std::io::Result<_>>()?;
    names.sort_unstable();
    for name in names {
        let mut file = File::open(folder.join(&name))?;
        zip.start_file(name.to_str().context("a file of an extract has another name")?, options)?;
        while block_in_place(|| std::io::copy(&mut (&mut file).take(PART), &mut zip))? > 0 {
            may_go_on()?;
            yield_now().await;
        }
    }
    let mut archived = zip.finish()?;
    archived.flush()?;
    std::fs::remove_dir_all(folder)?;
    Ok(archived.metadata()?.len())
}
