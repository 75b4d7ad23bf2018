//! Guesses are slowed.

use super::harness::{ADMIN, House, WRONG};

#[tokio::test]
async fn guesses_are_slowed_on_every_way_in_and_visitors_go_on() {
    let house = House::new().await;
    house.put("a", b"a").await;
    let mut session = house.session().await;
    let mut refused = 0;
    for i in 0..6 {
        refused += u32::from(house.ask("GET", "/a", &[WRONG], b"").await.status == 401);
        let guess = format!(r#"{{"id":1,"do":"sign-in","name":"admin","password":"{i}"}}"#);
        let reply = session.ask(&guess).await;
        refused += u32::from(reply["error"]["code"] == "wrong-password");
    }
    assert!(refused <= 11, "{refused}");
    let reply = house.ask("GET", "/a", &[WRONG], b"").await;
    assert_eq!(reply.status, 429, "{reply:?}");
    assert!(reply.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
    let reply = session
        .ask(r#"{"id":1,"do":"sign-in","name":"admin","password":"x"}"#)
        .await;
    assert_eq!(reply["error"]["code"], "busy");
    // The right one has to wait as well: else the wait would tell right from wrong.
    assert_eq!(house.ask("GET", "/a", &[ADMIN], b"").await.status, 429);
    assert_eq!(house.ask("GET", "/a", &[], b"").await.status, 200);
}

#[tokio::test]
async fn many_at_once_with_the_right_password_all_enter() {
    let house = House::new().await;
    house.put("a", b"a").await;
    let asked = (0..50).map(|_| house.ask("GET", "/a", &[ADMIN], b""));
    for reply in futures_util::future::join_all(asked).await {
        assert_eq!(reply.status, 200);
    }
}
