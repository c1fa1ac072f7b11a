//! The contents of mails about a company's sites and take-overs, as of the time of writing.

use loquet_domain::Moment;
use loquet_domain::app::{App, Unavailable};
use loquet_domain::ids::{CompanyId, TakeOverId};
use loquet_domain::order;
use loquet_domain::ports::StreamId;
use loquet_domain::schema::DomainEvent;
use loquet_domain::takeover;

use super::Tidings;
use crate::local_time::Precision;

/// The maximum number of sites that a mail names.
const MOST_NAMED: usize = 10;

/// The contents of a mail that follows from an event of an order or a take-over. Returns `None` for any other event.
pub(super) async fn tidings(
    app: &App,
    event: &DomainEvent,
    stream: &StreamId,
    at: Moment,
) -> Result<Option<Tidings>, Unavailable> {
    match event {
        DomainEvent::Order(order::Event::OrderEquipped(equipped)) => {
            let company = app.company(equipped.company).await?.state;
            let opened = equipped.opened.iter().filter_map(|site| company.sites.get(*site));
            let mut names: Vec<&str> = opened.map(|site| site.name.as_str()).collect();
            let more = names.len() > MOST_NAMED;
            names.truncate(MOST_NAMED);
            let sites = format!("{}{}", names.join("; "), if more { "; …" } else { "" });
            let count = if equipped.opened.len() == 1 { "one" } else { "several" };
            let order = stream.id().to_owned();
            let places = vec![("sites", sites), ("count", count.to_owned()), ("order", order)];
            // A take-over has moved the sites on since, so there is nothing to say.
            Ok((!names.is_empty()).then(|| Tidings { places, ..Tidings::of(at) }))
        }
        DomainEvent::TakeOver(event) => {
            let Ok(id) = stream.id().parse::<TakeOverId>() else { return Ok(None) };
            let Some(opened) = &*app.take_over(id).await?.state else { return Ok(None) };
            let over = !matches!(opened.stage, takeover::Stage::Open);
            let asks = matches!(event, takeover::Event::TakeOverOpened { .. });
            let moment = if asks { opened.due_at } else { at };
            let places = vec![
                ("giver", name(app, opened.from).await?),
                ("taker", name(app, opened.to).await?),
                ("reference", opened.reference.clone()),
            ];
            // Nobody is asked to agree to a take-over that is over.
            let precision = if asks { Precision::Day } else { Precision::Minute };
            Ok((!(asks && over)).then(|| Tidings { precision, places, ..Tidings::of(moment) }))
        }
        _ => Ok(None),
    }
}

async fn name(app: &App, company: CompanyId) -> Result<String, Unavailable> {
    let registered = &app.company(company).await?.state.registered;
    Ok(registered.as_ref().map(|registered| registered.legal_name.as_str().to_owned()).unwrap_or_default())
}
