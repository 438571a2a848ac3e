//! Many findings at once, a receiver that fails a third of the time, and a host that is killed again and again.

use tests::{dispatch, receiver::Receiver};

#[tokio::test]
async fn three_hundred_findings_reach_everybody_though_the_receiver_fails_and_the_host_is_killed() {
    let receiver = Receiver::open().await;
    let mut hospital = dispatch::open(&receiver).await;
    let told = dispatch::troubled(&mut hospital, &receiver, 300, 5).await;
    assert_eq!(told.killed_in_the_midst, 5, "{told:?}");
    assert!(told.failed > 100, "{told:?}");
    assert_eq!(told.missing, Vec::<String>::new());
    assert_eq!(told.doubled, Vec::<String>::new());
    assert_eq!(
        (told.raised, told.escalated),
        (600, (900, 900)),
        "who is named and who ordered; then three levels each"
    );
}
