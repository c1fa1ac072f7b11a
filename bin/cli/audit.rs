//! The command line of `loquet audit`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::words;

#[derive(Subcommand)]
pub(crate) enum AuditCommand {
    /// Print the public key that checks the checkpoints of this log. Keep it apart from the data.
    Key,
    /// Print the last signed checkpoint of this log. Keep it apart from the data: whoever has it can tell later whether the
    /// log still has the same events.
    Checkpoint {
        /// First have a checkpoint signed that covers every event of now. The server that runs on this data signs it, or this
        /// command does if no server runs.
        #[arg(long)]
        now: bool,
    },
    /// Compare the whole log with its signed checkpoints. Names each event that was altered, removed, inserted or moved.
    Verify(VerifyLog),
    /// Print a proof that an event is in the log (C2SP tlog-proof). It can be checked without the log.
    Prove {
        /// The position of the event, or its id.
        event: String,
    },
    /// Check a proof that an event is in the log, and print the event. Nothing but the public key is trusted.
    CheckProof(CheckProof),
    /// Write an extract of the history into a new directory: JSON Lines, CSV and Apache Parquet, with a signed manifest that
    /// says which events of which log these are. The extract itself is an event.
    Export(ExportHistory),
    /// Check an extract with its manifest. Nothing but the public key is trusted.
    CheckExport {
        /// The directory of the extract.
        folder: PathBuf,
        /// The public key, as `audit key` printed it, or a file with it.
        #[arg(long, value_name = "KEY")]
        public_key: String,
    },
    /// Judge the history of logins again under other lockout policies, in one pass over the log. Says who would have been
    /// locked out that was not, and the reverse.
    WhatIf(WhatIf),
    /// Show an account, now or as of a moment: its state, its lockout and its sessions.
    Account(super::Which),
    /// Show a company, now or as of a moment.
    Company(super::WhichCompany),
    /// Show a site, now or as of a moment, with its terminals.
    Site(super::WhichSite),
    /// Show a terminal, now or as of a moment, with the sites where it was.
    Terminal(super::WhichTerminal),
    /// Show what an account may do at a site, now or as of a moment, and who granted it.
    Permissions(AuditPermissions),
    /// Print what happened, in sentences: who did what, when and why.
    Timeline(Timeline),
    /// Print what changed between two moments, in sentences. The same as `audit timeline --from --to`.
    Diff(Timeline),
    /// Print a proof that the log at one checkpoint begins with the log at an earlier one (RFC 6962, 2.1.2).
    Consistency {
        /// The number of events of the earlier checkpoint.
        from: u64,
        /// The number of events of the later checkpoint.
        to: u64,
    },
    /// Check a proof that the log at one checkpoint begins with the log at an earlier one. Nothing but the public key is
    /// trusted.
    CheckConsistency(CheckProof),
}

#[derive(Args)]
pub(crate) struct VerifyLog {
    /// The public key, as `audit key` printed it, or a file with it. By default, the file in the data directory is used, which
    /// somebody who changed the log may have changed too.
    #[arg(long, value_name = "KEY")]
    pub(crate) public_key: Option<String>,
    /// A file with checkpoints that was kept apart from the data: a signed note, or JSON Lines as in `proof/checkpoints.jsonl`.
    /// By default, the checkpoints in the data directory are used.
    #[arg(long, value_name = "FILE")]
    pub(crate) checkpoints: Option<PathBuf>,
    /// The public key of a witness, or a file with it. Only checkpoints that this witness signed too count. By default, those in
    /// `proof/cosigned.jsonl` are used then.
    #[arg(long, value_name = "KEY")]
    pub(crate) witness: Option<String>,
}

#[derive(Args)]
pub(crate) struct AuditPermissions {
    /// The account: its id or its e-mail address.
    #[arg(value_parser = words::account)]
    pub(crate) account: String,
    /// The id of the site.
    #[arg(value_parser = words::id::<loquet_domain::ids::SiteId>)]
    pub(crate) site: loquet_domain::ids::SiteId,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Timeline {
    /// Whose history: the id or the e-mail address of an account, the id or the enterprise number of a company, the id of a
    /// site or a terminal, or `administration`. By default, everything.
    pub(crate) whose: Option<String>,
    /// The first moment, such as 2026-11-01 or 2026-11-01T08:00:00Z, or the first position of the log, such as 1042.
    #[arg(long, value_name = "MOMENT", value_parser = words::point)]
    pub(crate) from: Option<String>,
    /// The first moment, or the first position, that no longer counts.
    #[arg(long, value_name = "MOMENT", value_parser = words::point)]
    pub(crate) to: Option<String>,
    /// The language of the sentences.
    #[arg(long, value_parser = ["en", "fr", "nl"], default_value = "en")]
    pub(crate) language: String,
    /// Print JSON, one object for each event.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct ExportHistory {
    /// The directory. It must not exist.
    pub(crate) folder: PathBuf,
    /// The first moment, such as 2026-11-01 or 2026-11-01T08:00:00Z. By default, the beginning of the log.
    #[arg(long, value_name = "MOMENT", value_parser = words::moment)]
    pub(crate) from: Option<String>,
    /// The first moment that no longer counts. By default, the end of the log.
    #[arg(long, value_name = "MOMENT", value_parser = words::moment)]
    pub(crate) to: Option<String>,
    /// Add the accounts, companies, sites and terminals as they were at the end, or at the moment of --as-of.
    #[arg(long)]
    pub(crate) states: bool,
    /// Add what is encrypted in the log: names, addresses, support's reasons. It takes --reason.
    #[arg(long, requires = "reason")]
    pub(crate) personal: bool,
    /// Why the extract is taken. The log keeps it, unencrypted: name no person.
    #[arg(long, value_parser = words::remark)]
    pub(crate) reason: Option<String>,
}

#[derive(Args)]
pub(crate) struct WhatIf {
    /// How many wrong guesses in a row begin a lockout. By default, as in the profile.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) attempts: Option<u32>,
    /// How long a lockout lasts, such as 15m. By default, as in the profile.
    #[arg(long)]
    pub(crate) duration: Option<String>,
    /// The cap on wrong guesses across lockouts, which only a new password or support ends. 0 means none.
    #[arg(long, value_parser = clap::value_parser!(u32).range(0..=100))]
    pub(crate) cap: Option<u32>,
    /// The profile of the policy: default, nist or pci (docs/profiles.md).
    #[arg(long, value_parser = ["default", "nist", "pci"], default_value = "default")]
    pub(crate) profile: String,
    /// Whether a lockout that others cause does not hold for trusted devices.
    #[arg(long, value_parser = ["on", "off"], default_value = "on")]
    pub(crate) devices: String,
    /// A further policy, in the words of the flags: profile=pci,attempts=5,duration=30m,devices=off. What it does not name is as
    /// in the profile `default`. Repeatable.
    #[arg(long, value_name = "POLICY")]
    pub(crate) policy: Vec<String>,
    /// The first moment that counts, such as 2026-11-01 or 2026-11-01T08:00:00Z. By default, the beginning of the log.
    #[arg(long, value_name = "MOMENT", value_parser = words::moment)]
    pub(crate) from: Option<String>,
    /// The first moment that no longer counts. By default, the end of the log.
    #[arg(long, value_name = "MOMENT", value_parser = words::moment)]
    pub(crate) to: Option<String>,
    /// A file for a chart (SVG).
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct CheckProof {
    /// The file with the proof.
    pub(crate) file: PathBuf,
    /// The public key, as `audit key` printed it, or a file with it.
    #[arg(long, value_name = "KEY")]
    pub(crate) public_key: String,
}
