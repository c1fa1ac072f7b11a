//! A disk that is soon full.

use std::path::Path;
use std::process::Command;

/// A file system of a given size, gone when the test is.
pub struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// Mounts one, such as `8m`. `None` where that is not allowed.
    #[track_caller]
    pub fn mount(size: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]).arg(folder.path());
        let mounted = mount.output().is_ok_and(|output| output.status.success());
        mounted.then_some(Self(folder))
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}
