//! The tables, and how nodes of two versions share them.

use futures_util::future::join_all;
use loquet_postgres::{Database, Part, PostgresError};
use loquet_tests::postgres_server::PostgresServer;

#[tokio::test]
async fn nodes_that_start_at_once_make_the_tables_once() {
    let Some(server) = PostgresServer::start("nodes_that_start_at_once_make_the_tables_once") else { return };
    let nodes = (0..6).map(|_| {
        let database = Database::new(&server.connection()).unwrap();
        tokio::spawn(async move {
            database.prepare(Part::Main).await.unwrap();
            database.prepare(Part::Keys).await.unwrap();
        })
    });
    join_all(nodes).await.into_iter().for_each(Result::unwrap);
    let made = server
        .sql("SELECT part, count(*) = max(version) FROM loquet.schema_versions GROUP BY part ORDER BY part");
    assert_eq!(made, "keys|t\nmain|t");
}

/// During an upgrade, a node of the old version meets the tables of the new one.
#[tokio::test]
async fn an_older_node_goes_on_beside_newer_tables_unless_they_need_a_newer_one() {
    let name = "an_older_node_goes_on_beside_newer_tables_unless_they_need_a_newer_one";
    let Some(server) = PostgresServer::start(name) else { return };
    let database = server.database();
    let newest = "SELECT max(version) FROM loquet.schema_versions WHERE part = 'main'";
    let known: i32 = server.sql(newest).parse().unwrap();
    // The next version only adds something.
    server.sql(&format!("INSERT INTO loquet.schema_versions VALUES ('main', {}, {known})", known + 1));
    database.prepare(Part::Main).await.unwrap();
    // The one after it took something away.
    server.sql(&format!("INSERT INTO loquet.schema_versions VALUES ('main', {0}, {0})", known + 2));
    let refused = database.prepare(Part::Main).await.unwrap_err();
    assert!(matches!(refused, PostgresError::TooNew { .. }), "{refused}");
    let said = refused.to_string();
    assert!(
        said.contains(&format!("schema {}", known + 2)) && said.contains("start the newer Loquet"),
        "{said}"
    );
}

/// A node needs no right to make tables once they are there.
#[tokio::test]
async fn a_user_without_the_right_to_make_tables_is_enough_for_every_day() {
    let name = "a_user_without_the_right_to_make_tables_is_enough_for_every_day";
    let Some(server) = PostgresServer::start(name) else { return };
    drop(server.database());
    server.sql(
        "CREATE ROLE portal LOGIN; GRANT USAGE ON SCHEMA loquet TO portal;
         GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA loquet TO portal",
    );
    let mut connection = server.connection();
    connection.url = connection.url.replace("postgres@", "portal@");
    let database = Database::new(&connection).unwrap();
    database.prepare(Part::Main).await.unwrap();
    database.prepare(Part::Keys).await.unwrap();
    assert!(database.time().await.is_ok());
}

#[tokio::test]
async fn a_server_that_may_lose_what_it_acknowledged_is_refused() {
    for setting in ["fsync", "full_page_writes"] {
        let name = "a_server_that_may_lose_what_it_acknowledged_is_refused";
        let Some(server) = PostgresServer::start_with(name, &format!("{setting} = off")) else { return };
        let database = Database::new(&server.connection()).unwrap();
        let refused = database.prepare(Part::Main).await.unwrap_err().to_string();
        assert!(
            refused.contains(&format!("{setting} is off")) && refused.contains("set it to on"),
            "{refused}"
        );
        let there = server.sql("SELECT to_regclass('loquet.events') IS NULL");
        assert_eq!(there, "t", "nothing was made");
    }
}

/// Whatever the database or its user is set to, a commit is durable before it is acknowledged (law 1).
#[tokio::test]
async fn no_setting_of_the_database_makes_a_commit_less_durable() {
    let name = "no_setting_of_the_database_makes_a_commit_less_durable";
    let Some(server) = PostgresServer::start_with(name, "synchronous_commit = off") else { return };
    server.sql("ALTER DATABASE loquet SET synchronous_commit = off; ALTER ROLE postgres SET synchronous_commit = off");
    let mut connection = server.connection();
    connection.url.push_str("?options=-c%20synchronous_commit%3Doff");
    let database = Database::new(&connection).unwrap();
    assert_eq!(database.setting("synchronous_commit").await.unwrap(), "on");
}
