//! An upload made of others.

use super::harness::Door;
use super::{TUS, UPLOADS, address, begin, named, offset, patch};

super::harness::on_every_store! {
    parts_become_one_file,
    parts_that_cannot_be_joined_are_refused,
}

async fn part(door: &Door, length: usize) -> String {
    let length = length.to_string();
    let fields = [
        TUS,
        ("Upload-Length", length.as_str()),
        ("Upload-Concat", "partial"),
    ];
    let reply = door.ask("POST", UPLOADS, &fields, b"").await;
    assert_eq!(reply.status, 201, "{reply:?}");
    address(&reply)
}

async fn join(door: &Door, path: &str, parts: &[&str]) -> super::harness::Reply {
    let concat = format!("final;{}", parts.join(" "));
    let named = named(path);
    let fields = [
        TUS,
        ("Upload-Concat", concat.as_str()),
        ("Upload-Metadata", named.as_str()),
    ];
    door.ask("POST", UPLOADS, &fields, b"").await
}

async fn parts_become_one_file(door: Door) {
    let (one, two) = (part(&door, 3).await, part(&door, 4).await);
    assert_eq!(patch(&door, &two, 0, b"3456").await.status, 204);
    let early = join(&door, "joined", &[&one, &two]).await;
    assert_eq!((early.status, early.code().as_str()), (409, "incomplete"));
    assert_eq!(patch(&door, &one, 0, b"012").await.status, 204);
    let head = door.ask("HEAD", &one, &[TUS], b"").await;
    assert_eq!(
        (head.field("upload-concat"), head.field("upload-offset")),
        ("partial", "3")
    );
    // As the client may know it, absolute.
    let absolute = format!("http://{}{one}", door.address);
    let joined = join(&door, "joined", &[&absolute, &two]).await;
    assert_eq!(joined.status, 201, "{joined:?}");
    assert_eq!(door.get("/joined", &[]).await.text(), "0123456");
    let head = door
        .ask("HEAD", joined.field("location"), &[TUS], b"")
        .await;
    assert_eq!((head.status, head.field("upload-length")), (200, "7"));
    assert!(head.field("upload-concat").starts_with("final;"));
    for part in [&one, &two] {
        assert_eq!(door.ask("HEAD", part, &[TUS], b"").await.status, 404);
    }
    assert_eq!(door.get("/.gaveta/health", &[]).await.json()["uploads"], 0);
}

async fn parts_that_cannot_be_joined_are_refused(door: Door) {
    let whole = begin(&door, "whole", 1).await;
    assert_eq!(join(&door, "x", &[&whole]).await.status, 400);
    let unknown = format!("{UPLOADS}/{}", "0".repeat(32));
    assert_eq!(join(&door, "x", &[&unknown]).await.status, 404);
    assert_eq!(join(&door, "x", &["/etc/passwd"]).await.status, 404);
    assert_eq!(join(&door, "x", &[]).await.status, 400);
    let one = part(&door, 1).await;
    patch(&door, &one, 0, b"1").await;
    assert_eq!(join(&door, "../x", &[&one]).await.status, 400);
    let twice = join(&door, "x", &[&one, &one]).await;
    assert_eq!(twice.status, 400, "{twice:?}");
    // Refused by the name, the parts stay and can be joined under another.
    door.put("/taken", b"x").await;
    let taken = join(&door, "taken", &[&one]).await;
    assert_eq!(taken.status, 401);
    assert_eq!(offset(&door, &one).await, 1);
    assert_eq!(join(&door, "free", &[&one]).await.status, 201);
    assert_eq!(door.get("/free", &[]).await.text(), "1");
    assert_eq!(door.get("/taken", &[]).await.text(), "x");
}
