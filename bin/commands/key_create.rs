//! `loquet key create`.

use loquet_adapters::server_key::ServerKey;

use crate::cli::Place;

pub(crate) fn run(place: &Place) -> anyhow::Result<()> {
    place.make_folder()?;
    let path = place.server_key();
    ServerKey::create(&path)?;
    println!(
        "Made {}. Keep a copy apart from the data: without it nothing sealed can be read.",
        path.display()
    );
    Ok(())
}
