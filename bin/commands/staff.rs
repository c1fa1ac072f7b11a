//! `loquet staff`.

use anyhow::{Context, ensure};
use loquet_domain::app::NewStaff;
use loquet_domain::values::email_address::EmailAddress;
use loquet_domain::values::language::Language;
use loquet_domain::values::person::{Person, PersonName};
use serde_json::{Value, json};

use super::account::operator;
use super::remote::Running;
use crate::adapters::Access;
use crate::cli::{DataDirectory, InviteStaff, StaffCommand};
use crate::config::Config;
use crate::output::result;
use crate::settings;
use crate::system::{Parts, System};

pub(crate) async fn run(
    directory: &DataDirectory,
    config: &mut Config,
    command: StaffCommand,
) -> anyhow::Result<()> {
    match command {
        StaffCommand::Invite(which) => invite(directory, config, which).await,
    }
}

/// Creates an account for a member of the staff: through a running server, or in the data directory.
async fn invite(directory: &DataDirectory, config: &mut Config, which: InviteStaff) -> anyhow::Result<()> {
    let language = Language::parse(&which.language).context("the language is fr, nl or en")?;
    let account = match Running::open(&which.remote)? {
        Some(server) => {
            let body = json!({
                "email": which.email, "given_name": which.given_name, "family_name": which.family_name,
                "language": language.code(), "role": which.role.name(),
            });
            let answer = server.post("/v1/staff", serde_json::to_vec(&body)?).await?;
            ensure!(answer.status == 201, answer.refusal());
            answer.body.get("account_id").and_then(Value::as_str).unwrap_or_default().to_owned()
        }
        None => {
            let person = Person {
                email: EmailAddress::parse(&which.email)?,
                given_name: PersonName::parse(&which.given_name).context("--given-name")?,
                family_name: PersonName::parse(&which.family_name).context("--family-name")?,
            };
            let policies = settings::policies(config).context("the configuration is not valid")?;
            let system = System::open(directory, Access::Write, Parts { policies, ..Parts::default() });
            let system = system.await.context(
                "can't invite in the data directory (if a server is running, use --url and --token-file)",
            )?;
            let new = NewStaff { role: which.role, language, person };
            let invited = system.app.invite_staff(&operator(), new).await;
            system.close().await?;
            invited?.0.to_string()
        }
    };
    result(
        format_args!(
            "{} is invited as {}. An activation mail goes out while a server runs. The second step is required at the first login.",
            which.email, which.role
        ),
        &json!({ "account_id": account, "email": which.email, "role": which.role.name() }),
    );
    Ok(())
}
