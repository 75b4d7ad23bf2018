//! Sections: content that starts from what is there, or from other uploads.

use std::sync::Arc;

use gaveta_core::{
    CHUNK, ErrorKind, OnDrop, Owner, Replace, Result, Seal, Upload, UploadId, WritePlan,
};

use super::Ability;
use super::bench::{Bench, p, refused, strange_version};
use super::chunks::{pieces_of, seal_of, sized};
use super::uploads::write;
use crate::content::content;

const C: usize = CHUNK as usize;

impl Bench {
    /// An upload over the file that is there now, of this length.
    async fn over(&self, path: &str, length: usize) -> Arc<dyn Upload> {
        let version = self.stat(path).await.version;
        let plan = WritePlan {
            base: Some(version.clone()),
            replace: Replace::Only(version),
            ..sized(self.plan(path), length)
        };
        self.store.begin(plan).await.unwrap()
    }

    /// An upload that can only become a part, with this content.
    async fn part(&self, bytes: &[u8]) -> UploadId {
        let plan = WritePlan {
            target: None,
            ..sized(self.kept("unused"), bytes.len())
        };
        let upload = self.store.begin(plan).await.unwrap();
        write(&*upload, 0, bytes).await.unwrap();
        upload.state().await.unwrap().id
    }

    /// Begins a whole of these parts and commits it. Where an error comes is the store's choice.
    async fn join(&self, path: &str, parts: Vec<UploadId>, seal: Seal) -> Result<()> {
        let plan = WritePlan {
            parts,
            ..self.kept(path)
        };
        let upload = self.store.begin(plan).await?;
        let result = upload.commit(seal).await;
        if result.is_err() {
            upload.discard().await.unwrap();
        }
        result.map(|_| ())
    }
}

pub(super) async fn only_what_differs_is_sent(b: &Bench) {
    let old = content(4 * C + 100, 1);
    b.put("file", &old).await;
    let mut new = old.clone();
    new[2 * C + 5..2 * C + 9].copy_from_slice(b"edit");
    let upload = b.over("file", new.len()).await;
    let state = upload.state().await.unwrap();
    assert_eq!(state.base, Some(b.stat("file").await.version));
    assert_eq!(state.arrived.total(), 0, "nothing arrived yet");
    let middle = pieces_of(&new, 2 * CHUNK..3 * CHUNK);
    assert_eq!(upload.write_chunks(2 * CHUNK, middle).await.unwrap(), CHUNK);
    assert_eq!(upload.state().await.unwrap().arrived.total(), CHUNK);
    refused!(
        upload.commit(seal_of(&old)).await,
        ErrorKind::DigestMismatch
    );
    assert!(b.bytes("file").await == old, "nothing shows before");
    upload.commit(seal_of(&new)).await.unwrap();
    assert!(b.bytes("file").await == new);
    b.outline_is_true("file", &new).await;

    // Shorter: cut within a chunk, with nothing sent at all.
    let upload = b.over("file", C + 77).await;
    upload.commit(seal_of(&new[..C + 77])).await.unwrap();
    assert!(b.bytes("file").await == new[..C + 77]);
    b.outline_is_true("file", &new[..C + 77]).await;

    // Longer: what lies past the base's end must come.
    let mut longer = content(3 * C + 5, 2);
    longer[..C + 77].copy_from_slice(&new[..C + 77]);
    let upload = b.over("file", longer.len()).await;
    refused!(upload.commit(seal_of(&longer)).await, ErrorKind::Incomplete);
    let rest = pieces_of(&longer, CHUNK..longer.len() as u64);
    upload.write_chunks(CHUNK, rest).await.unwrap();
    upload.commit(seal_of(&longer)).await.unwrap();
    assert!(b.bytes("file").await == longer);
    b.outline_is_true("file", &longer).await;

    // A few bytes, not at a chunk's start.
    let upload = b.over("file", longer.len()).await;
    write(&*upload, CHUNK - 2, b"four").await.unwrap();
    upload.commit(Seal::default()).await.unwrap();
    longer[C - 2..C + 2].copy_from_slice(b"four");
    assert!(b.bytes("file").await == longer);
    b.outline_is_true("file", &longer).await;
}

pub(super) async fn a_base_that_changed_is_noticed(b: &Bench) {
    let old = content(2 * C, 3);
    b.put("file", &old).await;
    let version = b.stat("file").await.version;
    let plan = |path: &str, base| WritePlan {
        base: Some(base),
        replace: Replace::Always,
        ..sized(b.kept(path), 2 * C)
    };
    let upload = b.store.begin(plan("file", version.clone())).await.unwrap();
    let mut new = content(2 * C, 4);
    new[..C].copy_from_slice(&old[..C]);
    let second = pieces_of(&new, CHUNK..2 * CHUNK);
    upload.write_chunks(CHUNK, second).await.unwrap();
    let other = content(2 * C, 5);
    b.publish_as("file", &other, Replace::Always).await.unwrap();
    refused!(
        upload.commit(seal_of(&new)).await,
        ErrorKind::VersionMismatch
    );
    assert!(b.bytes("file").await == other, "nothing is spliced");
    // It stays usable: with everything sent, nothing is taken from the base.
    let first = pieces_of(&new, 0..CHUNK);
    upload.write_chunks(0, first).await.unwrap();
    match upload.commit(seal_of(&new)).await {
        Ok(_) => assert!(b.bytes("file").await == new),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::VersionMismatch);
            upload.discard().await.unwrap();
        }
    }

    let strange = async |path| {
        let upload = b.store.begin(plan(path, strange_version())).await?;
        let result = upload.commit(Seal::default()).await;
        upload.discard().await?;
        result
    };
    refused!(strange("file").await, ErrorKind::VersionMismatch);
    refused!(
        strange("missing").await,
        ErrorKind::VersionMismatch | ErrorKind::NotFound
    );
    b.is_gone("missing").await;
}

pub(super) async fn parts_become_a_whole(b: &Bench) {
    let (one, two, three) = (content(C + 300, 6), content(700, 7), content(C, 8));
    let ids = [
        b.part(&one).await,
        b.part(&two).await,
        b.part(&[]).await,
        b.part(&three).await,
    ];
    let [first, second, empty, third] = ids.clone();
    b.assert_empty().await;
    let whole = [three, one, two].concat();
    let plan = WritePlan {
        parts: vec![third, first, empty, second],
        ..b.kept("a/whole")
    };
    let upload = b.store.begin(plan).await.unwrap();
    let state = upload.state().await.unwrap();
    assert_eq!(state.length, Some(whole.len() as u64));
    assert!(write(&*upload, 0, b"x").await.is_err(), "it takes no more");
    let wrong = Seal {
        digest: Some(gaveta_core::Digest::of(b"something else")),
        length: None,
    };
    refused!(upload.commit(wrong).await, ErrorKind::DigestMismatch);
    b.assert_empty().await;
    upload.commit(seal_of(&whole)).await.unwrap();
    assert!(
        b.bytes("a/whole").await == whole,
        "in the order of the plan"
    );
    b.outline_is_true("a/whole", &whole).await;
    for id in &ids {
        refused!(b.store.upload(id, None).await, ErrorKind::UnknownUpload);
    }
}

pub(super) async fn parts_that_do_not_fit(b: &Bench) {
    use ErrorKind::{BadRequest, Incomplete, LengthMismatch, UnknownUpload};
    let good = b.part(b"good").await;
    let unknown = UploadId::from_bytes([9; 16]);
    let plan = WritePlan {
        parts: vec![good.clone(), unknown],
        ..b.kept("file")
    };
    refused!(b.store.begin(plan).await, UnknownUpload);

    let part = WritePlan {
        target: None,
        ..sized(b.kept("unused"), 10)
    };
    let begun = b.store.begin(part).await.unwrap();
    write(&*begun, 0, b"12345").await.unwrap();
    let half = begun.state().await.unwrap().id;
    let joined = b.join("file", vec![good.clone(), half.clone()], Seal::default());
    refused!(joined.await, Incomplete);
    let targeted = b.store.begin(b.kept("other")).await.unwrap();
    let id = targeted.state().await.unwrap().id;
    let joined = b.join("file", vec![good.clone(), id], Seal::default());
    refused!(joined.await, BadRequest | UnknownUpload);
    let short = Seal {
        length: Some(3),
        digest: None,
    };
    refused!(
        b.join("file", vec![good.clone()], short).await,
        LengthMismatch
    );
    refused!(begun.commit(Seal::default()).await, BadRequest | Incomplete);
    write(&*begun, 5, b"67890").await.unwrap();
    refused!(begun.commit(Seal::default()).await, BadRequest);
    b.assert_empty().await;

    // What failed took nothing away.
    b.join("file", vec![good, half], Seal::default())
        .await
        .unwrap();
    assert_eq!(b.bytes("file").await, b"good1234567890");
    targeted.discard().await.unwrap();

    if b.can(Ability::AnyOwner, "the part of another") {
        let foreign = WritePlan {
            target: None,
            owner: Owner("somebody else".into()),
            ..sized(b.kept("unused"), 1)
        };
        let foreign = b.store.begin(foreign).await.unwrap();
        write(&*foreign, 0, b"x").await.unwrap();
        let id = foreign.state().await.unwrap().id;
        let plan = WritePlan {
            parts: vec![id],
            ..b.kept("stolen")
        };
        refused!(b.store.begin(plan).await, UnknownUpload);
        foreign.discard().await.unwrap();
    }
}

pub(super) async fn ids_can_be_chosen(b: &Bench) {
    let id = UploadId::from_bytes(*b"chosen by a test");
    let plan = |path| WritePlan {
        id: Some(id.clone()),
        ..b.kept(path)
    };
    let upload = b.store.begin(plan("file")).await.unwrap();
    assert_eq!(upload.state().await.unwrap().id, id);
    write(&*upload, 0, b"mine").await.unwrap();
    refused!(b.store.begin(plan("file")).await, ErrorKind::Exists);
    drop(upload);
    let again = b.store.upload(&id, Some(&p("file"))).await.unwrap();
    assert_eq!(again.state().await.unwrap().arrived.prefix(), 4);
    again.commit(Seal::default()).await.unwrap();
    assert_eq!(b.bytes("file").await, b"mine");
}

pub(super) async fn notes_are_kept(b: &Bench) {
    let longest = "é".repeat(gaveta_core::upload::MAX_NOTE / 2);
    for (path, note) in [
        ("none", None),
        ("some", Some("a note\n{}")),
        ("longest", Some(longest.as_str())),
    ] {
        let plan = WritePlan {
            note: note.map(str::to_owned),
            ..b.kept(path)
        };
        let upload = b.store.begin(plan).await.unwrap();
        let state = upload.state().await.unwrap();
        assert_eq!(state.note.as_deref(), note);
        drop(upload);
        let again = b.store.upload(&state.id, Some(&p(path))).await.unwrap();
        assert_eq!(again.state().await.unwrap().note.as_deref(), note);
        again.discard().await.unwrap();
    }
    let plan = WritePlan {
        note: Some("x".repeat(gaveta_core::upload::MAX_NOTE + 1)),
        on_drop: OnDrop::Keep,
        ..b.plan("too long")
    };
    refused!(b.store.begin(plan).await, ErrorKind::BadRequest);
}
