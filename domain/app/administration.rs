//! Records what operators did to the system itself.

use crate::administration::{self, Command, Observed};
use crate::fact::Context;

use super::{App, Unavailable};

impl App {
    /// Records what is new in what a server finds. Returns the number of events. What the log says already is not
    /// recorded again.
    ///
    /// # Errors
    /// [`Unavailable`] if the log can't be read or written.
    pub async fn record_administration(
        &self,
        context: &Context,
        observed: Observed,
    ) -> Result<usize, Unavailable> {
        let record = Command::Record(Box::new(observed));
        let recorded = self.administration.transact(&administration::stream(), context, record).await?;
        Ok(recorded.facts.len())
    }
}
