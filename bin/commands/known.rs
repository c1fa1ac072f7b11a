//! Reads the read models, while a server may be writing them.

use std::sync::Arc;

use anyhow::Context;
use loquet_domain::Moment;
use loquet_domain::ids::CompanyId;
use loquet_domain::ports::Position;
use loquet_domain::values::enterprise_number::{Country, EnterpriseNumber};
use loquet_projections::index::Lookup;
use loquet_projections::ports::{Cursor, Order, ReadStore};
use loquet_projections::table::{Row, RowQuery, find, select};
use loquet_projections::views::companies::CompanyRow;

use crate::adapters::{self, Access};
use crate::cli::DataDirectory;
use crate::output::note;
use crate::system::{SeenFrom, System};

/// The read models, and the position of the log that they have reached.
pub(super) struct Known {
    rows: Arc<dyn ReadStore>,
    position: Position,
    now: Moment,
}

/// The rows to return.
pub(super) struct Rows<R> {
    pub(super) by: Lookup<R>,
    pub(super) order: Order,
    pub(super) limit: usize,
}

impl Known {
    /// Opens the view of these rows. Prints a note when the view is behind the log: either no server runs, or
    /// the server is still building the view.
    pub(super) async fn open<R: Row>(directory: &DataDirectory) -> anyhow::Result<Self> {
        if directory.as_of.is_some() {
            let system = System::open_to_read(directory).await?;
            let now = system.now();
            let SeenFrom { rows, position, .. } = system.past.context("no moment was named")?;
            return Ok(Self { rows, position, now });
        }
        let rows = adapters::read_models(directory, Access::Read)?;
        let builds = rows.builds().await?;
        let serving = builds.iter().find(|state| state.serving && state.build.view.name == R::VIEW.name);
        let position = serving.map(|state| state.position).unwrap_or_default();
        let system = System::open_to_read(directory).await?;
        let (now, head) = (system.now(), system.store.head().await?);
        if position < head {
            let behind = head.0 - position.0;
            note(format_args!(
                "loquet: this list is {behind} events behind the log; a running server catches up"
            ));
        }
        Ok(Self { rows, position, now })
    }

    /// The moment as of which the view is read.
    pub(super) fn now(&self) -> Moment {
        self.now
    }

    /// Returns the position that the view has reached.
    pub(super) fn position(&self) -> Position {
        self.position
    }

    pub(super) async fn one<R: Row>(&self, id: impl ToString) -> anyhow::Result<Option<R>> {
        Ok(find(self.rows.as_ref(), id.to_string()).await?)
    }

    /// The rows of a list. Says if there are more than the operator asked for.
    pub(super) async fn listed<R: Row>(&self, wanted: Rows<R>) -> anyhow::Result<Vec<R>> {
        self.listed_after(None, wanted).await
    }

    /// The same, of what comes after a place in the order.
    pub(super) async fn listed_after<R: Row>(
        &self,
        after: Option<Cursor>,
        wanted: Rows<R>,
    ) -> anyhow::Result<Vec<R>> {
        let limit = wanted.limit;
        let mut rows = self.some_after(after, Rows { limit: limit + 1, ..wanted }).await?;
        if rows.len() > limit {
            rows.truncate(limit);
            note(format_args!("There are more than these {limit}: raise --limit."));
        }
        Ok(rows)
    }

    pub(super) async fn some<R: Row>(&self, wanted: Rows<R>) -> anyhow::Result<Vec<R>> {
        self.some_after(None, wanted).await
    }

    async fn some_after<R: Row>(&self, after: Option<Cursor>, wanted: Rows<R>) -> anyhow::Result<Vec<R>> {
        let Rows { by, order, limit } = wanted;
        let wanted = RowQuery { by: Some(by), order, after, limit };
        let rows = select(self.rows.as_ref(), wanted).await?;
        Ok(rows.into_iter().map(|(_, row)| row).collect())
    }

    /// Returns the company with this id or this enterprise number. The number may be written in any usual
    /// way.
    pub(super) async fn company(&self, which: &str) -> anyhow::Result<CompanyRow> {
        if let Ok(id) = which.parse::<CompanyId>() {
            let found = self.one::<CompanyRow>(id).await?;
            return found.ok_or_else(|| anyhow::anyhow!("there is no company {id}"));
        }
        let numbers = [Country::Belgium, Country::Netherlands];
        let mut numbers =
            numbers.into_iter().filter_map(|country| EnterpriseNumber::parse(country, which).ok());
        let Some(number) = numbers.next() else {
            anyhow::bail!("'{which}' is neither an id nor an enterprise number");
        };
        let digits = number.digits();
        let by = CompanyRow::BY_NUMBER.beginning(format!("{}/{digits}", number.country()));
        let found = self.some(Rows { by, order: Order::Ascending, limit: 1 }).await?;
        found.into_iter().next().ok_or_else(|| anyhow::anyhow!("no company has the number {digits}"))
    }
}
