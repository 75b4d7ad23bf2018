//! What a check of the contents finds.

use super::*;

/// Flips a bit in the middle of a file, as a disk does: nothing says that it was changed.
fn rot(file: &OsPath) {
    let (mut bytes, meta) = (fs::read(file).unwrap(), fs::metadata(file).unwrap());
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    let file = fs::File::options().write(true).open(file).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &bytes, 0).unwrap();
    file.set_modified(meta.modified().unwrap()).unwrap();
}

#[tokio::test]
async fn a_flipped_bit_is_rot_and_an_edit_is_a_change() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let upkeep = store.upkeep().unwrap();
    for name in ["sound", "rotten", "edited"] {
        put(&store, name, content(3 << 20, 7)).await.unwrap();
    }
    fs::write(folder.path().join("foreign"), "never stored by us").unwrap();
    rot(&folder.path().join("rotten"));
    fs::write(folder.path().join("edited"), "by another program").unwrap();
    for (name, health) in [
        ("sound", Health::Sound),
        ("rotten", Health::Rotten),
        ("edited", Health::Changed),
        ("foreign", Health::Undigested),
    ] {
        let examined = upkeep.examine(&p(name), false).await.unwrap();
        assert_eq!(examined.health(), health, "{name}");
    }
    assert_eq!(upkeep.strays(10).await.unwrap().1, 0);
    upkeep.keep_mark(b"here").await.unwrap();
    assert_eq!(upkeep.mark().await.unwrap().as_deref(), Some(&b"here"[..]));
}

#[tokio::test]
async fn what_lies_within_deleted_folders_is_read_too_and_no_link_is_followed() {
    let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(outside.path().join("secret"), "secret").unwrap();
    let store = open(folder.path());
    for name in ["d/in/rotten", "d/in/sound", "d/b"] {
        put(&store, name, content(5000, 7)).await.unwrap();
    }
    std::os::unix::fs::symlink(outside.path(), folder.path().join("d/out")).unwrap();
    delete(&store, "d").await;
    let one = listed(&store.trash().unwrap()).await.remove(0);
    rot(&place(folder.path(), &one).join("in/rotten"));
    let upkeep = store.upkeep().unwrap();
    for (path, health) in [
        ("d/in/rotten", Health::Rotten),
        ("d/in/sound", Health::Sound),
        ("d/b", Health::Sound),
    ] {
        let examined = upkeep.examine_trashed(&one.id, &p(path), false).await;
        let examined = examined.unwrap();
        assert_eq!(examined.health(), health, "{path}");
        assert_eq!(examined.entry.path, p(path));
    }
    for (path, kind) in [
        ("d", ErrorKind::IsFolder),
        ("d/in", ErrorKind::IsFolder),
        ("d/none", ErrorKind::NotFound),
        ("e", ErrorKind::NotFound),
        ("db", ErrorKind::NotFound),
        ("d/out", ErrorKind::NotRegular),
        ("d/out/secret", ErrorKind::NotFolder),
    ] {
        let refused = upkeep.examine_trashed(&one.id, &p(path), false).await;
        assert_eq!(refused.unwrap_err().kind(), kind, "{path}");
    }
    let names = async |path: &str| -> gaveta_core::Result<Vec<String>> {
        let plan = ListPlan::sorted(OrderBy::Name, false);
        let listing = upkeep.list_trashed(&one.id, &p(path), plan).await?;
        let all: Vec<Listed> = listing.try_collect().await?;
        let paths = all.into_iter().filter_map(|listed| match listed {
            Listed::Entry(entry) => Some(entry.path.as_str().to_owned()),
            Listed::Unnameable { .. } => None,
        });
        Ok(paths.collect())
    };
    assert_eq!(names("d").await.unwrap(), ["d/b", "d/in", "d/out"]);
    assert_eq!(names("d/in").await.unwrap(), ["d/in/rotten", "d/in/sound"]);
    for (path, kind) in [
        ("d/b", ErrorKind::NotFolder),
        ("d/out", ErrorKind::NotFolder),
        ("e", ErrorKind::NotFound),
    ] {
        assert_eq!(names(path).await.unwrap_err().kind(), kind, "{path}");
    }
}
