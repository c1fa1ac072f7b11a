//! `loquet completions` and `loquet man`.

use std::path::Path;

use anyhow::Context;

use crate::cli;
use crate::output::document;

/// Prints completions for a shell.
pub(crate) fn completions(shell: clap_complete::Shell) {
    // Written into memory first, because the generator panics if it can't write.
    let mut written = Vec::new();
    clap_complete::generate(shell, &mut cli::command(), "loquet", &mut written);
    document(&written);
}

/// Prints the manual page, or writes one page for each command into a folder.
pub(crate) fn pages(to: Option<&Path>) -> anyhow::Result<()> {
    let Some(folder) = to else {
        let mut page = Vec::new();
        clap_mangen::Man::new(cli::command()).render(&mut page)?;
        document(&page);
        return Ok(());
    };
    std::fs::create_dir_all(folder).with_context(|| format!("can't make {}", folder.display()))?;
    let written = clap_mangen::generate_to(cli::command(), folder);
    written.with_context(|| format!("can't write the manual pages into {}", folder.display()))
}
