//! The exit codes of the commands. Each has one meaning. `docs/operator.md` lists them.
//!
//! 0 and 1 are success and failure, and the parser of the command line ends with 2.

/// The question was answered, and the answer is no.
pub(crate) const NO: u8 = 3;
/// The file was read, and some of its lines, or all of them, were refused.
pub(crate) const REFUSED_LINES: u8 = 4;
/// The command did what it was asked to do and could not write its output: `EX_IOERR` of BSD's `sysexits.h`.
pub(crate) const LOST: u8 = 74;
