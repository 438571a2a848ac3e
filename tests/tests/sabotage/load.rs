//! Much comes at once, and everything fails in turn while it does.

use std::time::Duration;

use tests::load::{Load, Trouble, bear};

#[tokio::test]
async fn of_what_eight_gateways_send_while_everything_fails_nothing_is_lost_and_nothing_is_there_twice() {
    let load = Load {
        studies: 20,
        instances: 20,
        uploaders: 8,
        readers: 3,
        swept: 1,
        trouble: Trouble { host_killed: 2, postgres_restarted: 1, storage_busy: Duration::from_secs(2) },
    };

    let outcome = bear(&load, |far| eprintln!("{far}")).await;

    outcome.must_be_whole(&load);
}
