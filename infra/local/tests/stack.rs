//! The stack that tests share, and what a test may do to a part of its own.

use local::Stack;
use local::stack::Database;
use sqlx::{Connection, PgConnection};

async fn count_of_orders(url: &str) -> sqlx::Result<i64> {
    let mut connection = PgConnection::connect(url).await?;
    let count = sqlx::query_scalar("select count(*) from imaging.orders").fetch_one(&mut connection).await?;
    connection.close().await?;
    Ok(count)
}

async fn checks(url: &str) -> sqlx::Result<serde_json::Value> {
    let mut connection = PgConnection::connect(url).await?;
    let answer = sqlx::query_scalar("select portal.check('{}', '{}')").fetch_one(&mut connection).await?;
    connection.close().await?;
    Ok(answer)
}

#[tokio::test]
async fn each_test_has_a_migrated_database_of_its_own() {
    let stack = Stack::shared().await.unwrap();
    let one = stack.database().await.unwrap();
    let other = stack.database().await.unwrap();

    assert_ne!(one.name(), other.name());
    assert_eq!(count_of_orders(&one.admin_url()).await.unwrap(), 0);
    assert!(checks(&one.service_url()).await.is_ok());
}

#[tokio::test]
async fn the_service_can_read_no_table() {
    let stack = Stack::shared().await.unwrap();
    let database = stack.database().await.unwrap();

    let refused = count_of_orders(&database.service_url()).await.unwrap_err();

    assert_eq!(refused.as_database_error().unwrap().code().unwrap(), "42501");
}

#[tokio::test]
async fn a_database_goes_with_its_handle() {
    let stack = Stack::shared().await.unwrap();
    let database: Database = stack.database().await.unwrap();
    let url = database.admin_url();
    drop(database);

    assert!(PgConnection::connect(&url).await.is_err());
}

#[tokio::test]
async fn a_private_postgres_keeps_its_data_and_port_when_stopped() {
    let stack = Stack::shared().await.unwrap();
    let mut private = stack.private_postgres().await.unwrap();
    let url = private.service_url().unwrap();
    assert!(checks(&url).await.is_ok());

    private.get_mut().unwrap().kill();
    assert!(checks(&url).await.is_err());
    private.get_mut().unwrap().start_again().await.unwrap();

    checks(&url).await.unwrap();
}

#[tokio::test]
async fn a_private_azurite_keeps_its_containers_when_stopped() {
    let stack = Stack::shared().await.unwrap();
    let mut private = stack.private_azurite().await.unwrap();
    let account = private.get().unwrap().account();
    assert!(account.create_container("kept").await.unwrap());

    private.get_mut().unwrap().stop();
    assert!(account.create_container("refused").await.is_err());
    private.get_mut().unwrap().start_again().await.unwrap();

    assert!(!account.create_container("kept").await.unwrap());
    assert!(stack.container().await.unwrap().starts_with("test-"));
}
