//! `loquet audit what-if`.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use anyhow::{Context, bail, ensure};
use chrono::TimeDelta;
use loquet_crypto::event_codec::decode_briefly;
use loquet_domain::Moment;
use loquet_domain::account::what_if::{History, Outcome, Trial};
use loquet_domain::ids::AccountId;
use loquet_domain::policies::lockout::LockoutPolicy;
use loquet_domain::ports::Position;
use loquet_projections::what_if::{Period, judge};
use serde_json::json;

use crate::adapters;
use crate::cli::{DataDirectory, WhatIf as Asked};
use crate::commands::show::{place_of, progress, table};
use crate::config::{duration, lockout_profile};
use crate::moments::optional;
use crate::output::{columns, line, note};

/// A policy, and how it was asked for.
struct Named {
    name: String,
    trial: Trial,
}

pub(super) async fn run(directory: &DataDirectory, asked: &Asked) -> anyhow::Result<()> {
    let named = policies(asked)?;
    let (from, to) = (optional(asked.from.as_ref(), "from")?, optional(asked.to.as_ref(), "to")?);
    ensure!(from.is_none_or(|from| to.is_none_or(|to| from < to)), "--from is not before --to");
    let store = adapters::log_to_read(directory).await?;
    let bar = progress(store.head().await?.0, "events judged")?;
    let trials = named.iter().map(|named| named.trial.clone()).collect();
    let reached = |position: Position| bar.set_position(position.0);
    let (history, outcomes) = judge(store, decode_briefly, trials, Period { from, to }, reached).await?;
    bar.finish_and_clear();
    let outcomes: Vec<_> = named.into_iter().map(|named| named.name).zip(outcomes).collect();
    if asked.json {
        as_json(&history, &outcomes);
    } else {
        as_table(&history, &outcomes);
    }
    if let Some(path) = &asked.svg {
        let chart = chart(&history, &outcomes, from, to);
        std::fs::write(path, chart).with_context(|| format!("can't write {}", place_of(path)))?;
        note(format_args!("the chart is in {}", place_of(path)));
    }
    Ok(())
}

/// The policies of the flags: the one of `--attempts` and its like, and the further ones.
fn policies(asked: &Asked) -> anyhow::Result<Vec<Named>> {
    let own = Words {
        profile: asked.profile.clone(),
        attempts: asked.attempts,
        duration: asked.duration.clone(),
        cap: asked.cap,
        devices: asked.devices == "on",
    };
    let further = asked
        .policy
        .iter()
        .map(|text| Words::parse(text).and_then(Words::policy).with_context(|| format!("--policy {text}")));
    std::iter::once(own.policy()).chain(further).collect()
}

/// A policy in the words of the command line.
struct Words {
    profile: String,
    attempts: Option<u32>,
    duration: Option<String>,
    cap: Option<u32>,
    devices: bool,
}

impl Words {
    fn parse(text: &str) -> anyhow::Result<Self> {
        let mut words =
            Self { profile: "default".to_owned(), attempts: None, duration: None, cap: None, devices: true };
        for word in text.split(',') {
            match word.split_once('=') {
                Some(("profile", value)) => words.profile = value.to_owned(),
                Some(("attempts", value)) => words.attempts = Some(number(value, word)?),
                Some(("duration", value)) => words.duration = Some(value.to_owned()),
                Some(("cap", value)) => words.cap = Some(number(value, word)?),
                Some(("devices", "on")) => words.devices = true,
                Some(("devices", "off")) => words.devices = false,
                _ => bail!(
                    "'{word}' is none of profile=, attempts=, duration=, cap=, devices=on and devices=off"
                ),
            }
        }
        Ok(words)
    }

    fn policy(self) -> anyhow::Result<Named> {
        let Some((attempts, lasts, cap)) = lockout_profile(&self.profile) else {
            bail!("there is no profile '{}': there are default, nist and pci", self.profile)
        };
        let (attempts, cap) = (self.attempts.unwrap_or(attempts), self.cap.unwrap_or(cap));
        let lasts = self.duration.as_deref().unwrap_or(lasts);
        let measured = duration(lasts).map_err(|wrong| anyhow::anyhow!("duration: {wrong}"))?;
        let policy = LockoutPolicy::new(attempts, TimeDelta::from_std(measured)?)?;
        let policy = if cap == 0 { policy } else { policy.with_cap(cap)? };
        let mut name = format!("{attempts} guesses, {lasts}");
        if cap > 0 {
            write!(name, ", cap {cap}")?;
        }
        if !self.devices {
            name.push_str(", no trusted devices");
        }
        Ok(Named { name, trial: Trial { lockout: policy, trusts_devices: self.devices } })
    }
}

/// Reads a number of a policy.
fn number(value: &str, word: &str) -> anyhow::Result<u32> {
    value.parse().with_context(|| format!("'{word}' has no whole number"))
}

/// The accounts that are in the first set alone.
fn only(some: &BTreeSet<AccountId>, others: &BTreeSet<AccountId>) -> Vec<AccountId> {
    some.difference(others).copied().collect()
}

fn as_table(history: &History, outcomes: &[(String, Outcome)]) {
    let mut rows = table(&[
        "POLICY",
        "LOCKOUTS",
        "ACCOUNTS LOCKED",
        "LOCKED ONLY BY IT",
        "NOT LOCKED BY IT",
        "GUESSES JUDGED",
        "GUESSES STOPPED",
        "LOGINS REFUSED",
        "OWNERS KEPT OUT",
    ]);
    let number = |count: usize| count.to_string();
    rows.add_row([
        "as it was".to_owned(),
        history.lockouts.to_string(),
        number(history.accounts.len()),
        "-".to_owned(),
        "-".to_owned(),
        history.guesses_judged.to_string(),
        "-".to_owned(),
        "-".to_owned(),
        "-".to_owned(),
    ]);
    for (name, outcome) in outcomes {
        rows.add_row([
            name.clone(),
            outcome.lockouts.to_string(),
            number(outcome.accounts.len()),
            number(only(&outcome.accounts, &history.accounts).len()),
            number(only(&history.accounts, &outcome.accounts).len()),
            outcome.guesses_judged.to_string(),
            outcome.guesses_stopped.to_string(),
            outcome.logins_refused.to_string(),
            number(outcome.owners_kept_out.len()),
        ]);
    }
    columns(&rows);
    note(
        "Guesses that a lockout refused were never judged, and are not in the log. So a policy that locks later shows only what is known.",
    );
}

fn as_json(history: &History, outcomes: &[(String, Outcome)]) {
    let policies: Vec<_> = outcomes
        .iter()
        .map(|(name, outcome)| {
            json!({
                "policy": name, "lockouts": outcome.lockouts, "accounts_locked": outcome.accounts.len(),
                "locked_only_then": only(&outcome.accounts, &history.accounts),
                "locked_only_really": only(&history.accounts, &outcome.accounts),
                "guesses_judged": outcome.guesses_judged, "guesses_stopped": outcome.guesses_stopped,
                "logins_refused": outcome.logins_refused, "owners_kept_out": outcome.owners_kept_out,
            })
        })
        .collect();
    line(json!({
        "history": {
            "lockouts": history.lockouts, "accounts_locked": history.accounts.len(),
            "guesses_judged": history.guesses_judged, "logins": history.logins,
        },
        "policies": policies,
    }));
}

/// A bar chart: for each policy the lockouts, the guesses that it stops, and the logins that it refuses.
fn chart(
    history: &History,
    outcomes: &[(String, Outcome)],
    from: Option<Moment>,
    to: Option<Moment>,
) -> String {
    const COLOURS: [&str; 3] = ["#2c5f8a", "#4a8f5c", "#b5523b"];
    const LABELS: [&str; 3] = ["lockouts", "guesses stopped", "logins refused"];
    let mut groups = vec![("as it was".to_owned(), [history.lockouts, 0, 0])];
    groups.extend(
        outcomes
            .iter()
            .map(|(name, of)| (name.clone(), [of.lockouts, of.guesses_stopped, of.logins_refused])),
    );
    let most = groups.iter().flat_map(|(_, values)| *values).max().unwrap_or(0).max(1);
    let height = 70 + groups.len() * 84;
    let shown = |moment: Option<Moment>, none: &str| {
        moment.map_or_else(|| none.to_owned(), |moment| moment.format("%Y-%m-%d %H:%M UTC").to_string())
    };
    let title = format!("Lockout policies, {} to {}", shown(from, "the beginning"), shown(to, "the end"));
    let mut lines = vec![format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 760 {height}\" role=\"img\" aria-label=\"{title}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n<rect width=\"760\" height=\"{height}\" fill=\"#fff\"/>\n\
         <text x=\"16\" y=\"26\" font-size=\"16\">{title}</text>"
    )];
    for (index, (label, colour)) in LABELS.iter().zip(COLOURS).enumerate() {
        let x = 16 + index * 150;
        lines.push(format!(
            "<rect x=\"{x}\" y=\"38\" width=\"12\" height=\"12\" fill=\"{colour}\"/><text x=\"{}\" y=\"49\">{label}</text>",
            x + 18
        ));
    }
    for (index, (name, values)) in groups.iter().enumerate() {
        let y = 78 + index * 84;
        lines.push(format!("<text x=\"16\" y=\"{y}\">{name}</text>"));
        for (row, (value, colour)) in values.iter().zip(COLOURS).enumerate() {
            let (y, width) = (y + 6 + row * 18, value * 560 / most);
            lines.push(format!(
                "<rect x=\"16\" y=\"{y}\" width=\"{}\" height=\"14\" fill=\"{colour}\"/><text x=\"{}\" y=\"{}\">{value}</text>",
                width.max(1),
                width + 22,
                y + 12
            ));
        }
    }
    lines.push("</svg>\n".to_owned());
    lines.join("\n")
}
