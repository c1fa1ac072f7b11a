//! The checks of the data directory: its files, who has them, and the disk that it is on.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::Findings;
use crate::cli::DataDirectory;
use crate::disk::free_space;

/// With fewer free bytes than this, the disk is nearly full.
const LITTLE: u64 = 1024 * 1024 * 1024;
/// With fewer free bytes than this, the next backup or rebuild fills the disk.
const TOO_LITTLE: u64 = 64 * 1024 * 1024;

/// Checks the directory itself.
pub(super) fn folder(directory: &DataDirectory, findings: &mut Findings) {
    let folder = &directory.data_dir;
    let shown = folder.display();
    if !folder.is_dir() {
        let remedy = "Start the server once, restore a backup, or name the data directory with --data-dir.";
        return findings.fail("data directory", format!("{shown} does not exist"), remedy);
    }
    let probe = folder.join(".doctor");
    match std::fs::write(&probe, "").and_then(|()| std::fs::remove_file(&probe)) {
        Ok(()) if directory.is_open_to_others() => {
            let found = format!("other users of this machine can enter {shown}");
            findings.warn("data directory", found, &format!("chmod 700 {shown}"));
        }
        Ok(()) => findings.well("data directory", format!("{shown} is writable, and only by its owner")),
        Err(error) => {
            let remedy = "Run as the user who owns the data, or correct the permissions of the directory.";
            findings.fail("data directory", format!("{shown} can't be written to: {error}"), remedy);
        }
    }
}

/// What other users can do with a file of this mode. `None`: nothing.
pub(super) fn open_to(mode: u32) -> Option<&'static str> {
    match (mode & 0o044 != 0, mode & 0o022 != 0) {
        (_, true) => Some("read and write"),
        (true, false) => Some("read"),
        (false, false) => None,
    }
}

/// Checks the modes of the files that have people's data or secrets. A group may have the files, as in a container whose
/// volume belongs to a group.
pub(super) fn modes(directory: &DataDirectory, findings: &mut Findings) {
    let (mut open, mut of_group) = (Vec::new(), Vec::new());
    for path in directory.private_files() {
        let Ok(held) = std::fs::metadata(&path) else { continue };
        let mode = held.permissions().mode();
        let shown = |what: &str| format!("{what} {}", path.display());
        match (open_to(mode & 0o007), open_to(mode & 0o070)) {
            (Some(what), _) => open.push(shown(what)),
            (None, Some(what)) => of_group.push(shown(what)),
            (None, None) => {}
        }
    }
    let remedy = format!("chmod -R go-rwx {}", directory.data_dir.display());
    if !open.is_empty() {
        findings.fail("file modes", format!("other users of this machine may {}", open.join(", ")), &remedy);
    }
    if !of_group.is_empty() {
        findings.warn("file modes", format!("users of the group may {}", of_group.join(", ")), &remedy);
    }
}

/// The files that a server made beside its log, and that are lost.
pub(super) fn lost(directory: &DataDirectory, findings: &mut Findings) {
    let lost = [
        ("reactions.db", "the queue of mails"),
        ("tokens.db", "every token of a program or of the staff"),
        ("webhooks.db", "every webhook"),
    ];
    let there = |name: &str| directory.file(name).exists();
    // Only a server makes stored answers.
    if directory.engine.is_shared() || !there("log.db") || !there("answers.db") {
        return;
    }
    for (name, what) in lost.into_iter().filter(|(name, _)| !there(name)) {
        let found = format!("{name} is missing, and with it {what}");
        findings.fail("files", found, "Restore it from a backup. A server that starts makes an empty one.");
    }
}

/// Checks whether the owner of the data directory also owns the files in it.
pub(super) fn owners(directory: &DataDirectory, findings: &mut Findings) {
    let others = directory.files_of_other_owners();
    if others.is_empty() {
        return;
    }
    let names: Vec<String> = others.iter().map(|path| path.display().to_string()).collect();
    let folder = directory.data_dir.display();
    findings.fail(
        "data directory",
        format!("these files do not belong to the owner of {folder}: {}", names.join(", ")),
        &format!("As root, run `chown -R --reference={folder} {folder}`. A server that runs as that user can't use them."),
    );
}

/// Checks how much is free on the disk.
pub(super) fn disk(folder: &Path, findings: &mut Findings) {
    let Some(free) = free_space(folder) else { return };
    let found = format!("{} MiB free", free / 1024 / 1024);
    if free < TOO_LITTLE {
        let remedy = "Free some space, or move the data to a larger disk. On a full disk nothing is written, and logins are answered with 503.";
        return findings.fail("disk", found, remedy);
    }
    if free < LITTLE {
        let remedy = "Free some space, or move the data to a larger disk. On a full disk nothing is written, and logins are answered with 503.";
        return findings.warn("disk", found, remedy);
    }
    findings.well("disk", found);
}
