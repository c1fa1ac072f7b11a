//! What support does for a person who can't log in: `loquet account release`, `send-activation`, `send-reset`, `convert`
//! and `reset-second-step`. `loquet diagnose` names the one that helps.

use anyhow::{Context as _, ensure};
use loquet_domain::account::{Admission, Authority};
use loquet_domain::fact::Context;
use loquet_domain::ids::AccountId;
use serde_json::{Value, json};

use super::{account_at, find, operator};
use crate::adapters::Access;
use crate::cli::DataDirectory;
use crate::cli::accounts::Helped;
use crate::commands::remote::Running;
use crate::config::Config;
use crate::output::result;
use crate::settings;
use crate::system::{Parts, System};

/// What is done for the person.
pub(super) enum Act {
    /// Ends the lockout.
    Release,
    /// Sends the link with which a person chooses the first password.
    SendActivation,
    /// Sends the link with which a person chooses a new password.
    SendReset,
    /// Admits a temporary administrator.
    Convert(Admission),
    /// Turns the second step off.
    ResetSecondStep {
        /// How the operator checked who the person is.
        identity_proof: String,
    },
}

impl Act {
    /// Below `/v1/accounts/{id}`.
    fn path(&self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::SendActivation => "activation-mail",
            Self::SendReset => "password-reset-mail",
            Self::Convert(_) => "conversion",
            Self::ResetSecondStep { .. } => "second-step/reset",
        }
    }

    fn body(&self, reason: &str) -> Value {
        match self {
            Self::Release | Self::SendActivation | Self::SendReset => json!({ "reason": reason }),
            Self::Convert(to) => json!({ "reason": reason, "to": to }),
            Self::ResetSecondStep { identity_proof } => {
                json!({ "reason": reason, "identity_proof": identity_proof })
            }
        }
    }

    fn done(&self) -> &'static str {
        match self {
            Self::Release => "The lockout is ended. The owner gets a mail.",
            Self::SendActivation => "The activation mail is sent. Older links no longer work.",
            Self::SendReset => "The mail with the link to a new password is sent.",
            Self::Convert(Admission::Administrator) => "The account is an administrator now.",
            Self::Convert(Admission::User) => "The account is a user now.",
            Self::ResetSecondStep { .. } => {
                "The second step is off, and all sessions ended. The owner gets a mail."
            }
        }
    }

    /// Does it in the data directory itself.
    async fn carry_out(self, system: &System, id: AccountId, reason: String) -> anyhow::Result<()> {
        let app = &system.app;
        let context = Context { reason: Some(reason.clone()), ..operator() };
        let supplier = Authority::Supplier;
        match self {
            Self::Release => app.release(&context, id, &reason).await?,
            Self::SendActivation => app.request_activation(&context, supplier, id).await?,
            Self::SendReset => app.send_reset(&context, id).await?,
            Self::Convert(to) => app.convert(&context, supplier, id, to).await?,
            Self::ResetSecondStep { identity_proof } => {
                let why = format!("{} — {}", reason.trim(), identity_proof.trim());
                let context = Context { reason: Some(why.clone()), ..context };
                app.reset_second_step(&context, id, &why).await?
            }
        };
        Ok(())
    }
}

/// Does it by the running server, or in the data directory itself.
pub(super) async fn help(
    directory: &DataDirectory,
    config: &mut Config,
    whom: Helped,
    act: Act,
) -> anyhow::Result<()> {
    let (path, done) = (act.path(), act.done());
    let id = if let Some(server) = Running::open(&whom.remote)? {
        let id = account_at(&server, &whom.account).await?;
        let body = serde_json::to_vec(&act.body(&whom.reason))?;
        let answer = server.post(&format!("/v1/accounts/{id}/{path}"), body).await?;
        ensure!(answer.status == 204, answer.refusal());
        id
    } else {
        let policies = settings::policies(config).context("the configuration is not valid")?;
        let parts = Parts { policies, ..Parts::default() };
        let system = System::open(directory, Access::Write, parts).await.context(
            "can't write to the data directory (if a server is running, use --url and --token-file)",
        )?;
        let carried_out = async {
            let id = find(&system, &whom.account).await?;
            act.carry_out(&system, id, whom.reason).await.map(|()| id)
        };
        let carried_out = carried_out.await;
        system.close().await?;
        carried_out?
    };
    result(done, &json!({ "account_id": id, "done": path }));
    Ok(())
}
