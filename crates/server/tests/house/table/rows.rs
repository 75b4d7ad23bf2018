//! The rows: how every operation is asked at every door, and what that needs.

use gaveta_core::{Action, Operation};

/// The doors that a row is tried at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Door {
    Files,
    Uploads,
    Chunks,
    Trash,
    Session,
    Command,
}

/// How a row is asked.
#[derive(Debug, Clone)]
pub(super) enum How {
    /// A request: method, target, fields, content.
    Request(
        &'static str,
        &'static str,
        &'static [(&'static str, &'static str)],
        &'static str,
    ),
    /// An upload that one begins oneself, and then this with it: method, what follows its address,
    /// fields, content.
    OwnUpload(
        &'static str,
        &'static str,
        &'static [(&'static str, &'static str)],
        &'static str,
    ),
    /// A call, by session and by POST.
    Call(&'static str),
}

pub(super) struct Row {
    pub(super) operation: Operation,
    pub(super) door: Door,
    pub(super) how: How,
    /// All of this must be granted. `true`: at every place beneath as well.
    pub(super) needs: &'static [(Action, &'static str, bool)],
    /// Whoever is on the way to what he may list may do it too.
    pub(super) sight: bool,
}

pub(super) const TUS: (&str, &str) = ("Tus-Resumable", "1.0.0");
/// `path team/new-tus`, in base64.
const NEW_TUS: &[(&str, &str)] = &[
    TUS,
    ("Upload-Length", "3"),
    ("Upload-Metadata", "path dGVhbS9uZXctdHVz"),
];
/// `path team/over-tus`.
const OVER_TUS: &[(&str, &str)] = &[
    TUS,
    ("Upload-Length", "3"),
    ("Upload-Metadata", "path dGVhbS9vdmVyLXR1cw=="),
];

const fn row(
    operation: Operation,
    door: Door,
    how: How,
    needs: &'static [(Action, &'static str, bool)],
) -> Row {
    Row {
        operation,
        door,
        how,
        needs,
        sight: false,
    }
}

const fn seen(
    operation: Operation,
    door: Door,
    how: How,
    at: &'static [(Action, &'static str, bool)],
) -> Row {
    Row {
        sight: true,
        ..row(operation, door, how, at)
    }
}

/// The rows of one operation. No `_`: a new operation wants its own.
pub(super) fn rows_of(operation: Operation) -> Vec<Row> {
    use Action::{Create, Delete, List, Manage, Read, Replace};
    use How::{Call, OwnUpload, Request};
    let op = operation;
    match operation {
        Operation::Stat => vec![
            seen(
                op,
                Door::Session,
                Call(r#"{"id":1,"do":"stat","path":"team"}"#),
                &[(List, "team", false)],
            ),
            row(
                op,
                Door::Session,
                Call(r#"{"id":1,"do":"stat","path":"team/a"}"#),
                &[(List, "team/a", false)],
            ),
            seen(
                op,
                Door::Session,
                Call(r#"{"id":1,"do":"watch","path":"team"}"#),
                &[(List, "team", false)],
            ),
        ],
        Operation::List => vec![
            seen(
                op,
                Door::Files,
                Request("GET", "/team/", &[], ""),
                &[(List, "team", false)],
            ),
            seen(
                op,
                Door::Files,
                Request("HEAD", "/team/", &[], ""),
                &[(List, "team", false)],
            ),
            seen(
                op,
                Door::Files,
                Request("GET", "/team", &[], ""),
                &[(List, "team", false)],
            ),
            seen(
                op,
                Door::Session,
                Call(r#"{"id":1,"do":"list","path":"team"}"#),
                &[(List, "team", false)],
            ),
        ],
        Operation::Space => vec![row(
            op,
            Door::Session,
            Call(r#"{"id":1,"do":"space"}"#),
            &[(List, "", false)],
        )],
        Operation::Read => vec![
            row(
                op,
                Door::Files,
                Request("GET", "/team/a", &[], ""),
                &[(Read, "team/a", false)],
            ),
            row(
                op,
                Door::Files,
                Request("HEAD", "/team/a", &[], ""),
                &[(Read, "team/a", false)],
            ),
            row(
                op,
                Door::Files,
                Request("GET", "/team/a", &[("Range", "bytes=0-0")], ""),
                &[(Read, "team/a", false)],
            ),
            row(
                op,
                Door::Chunks,
                Request("GET", "/.gaveta/chunks/team/a", &[], ""),
                &[(Read, "team/a", false)],
            ),
        ],
        Operation::Outline => vec![row(
            op,
            Door::Chunks,
            Request("GET", "/.gaveta/outline/team/a", &[], ""),
            &[(Read, "team/a", false)],
        )],
        Operation::Begin => vec![
            row(
                op,
                Door::Uploads,
                Request("POST", "/.gaveta/uploads", NEW_TUS, ""),
                &[(Create, "team/new-tus", false)],
            ),
            row(
                op,
                Door::Uploads,
                Request("POST", "/.gaveta/uploads", OVER_TUS, ""),
                &[
                    (Create, "team/over-tus", false),
                    (Replace, "team/over-tus", false),
                ],
            ),
        ],
        Operation::Resume => vec![
            row(
                op,
                Door::Uploads,
                OwnUpload("HEAD", "", &[TUS], ""),
                &[(Create, "team/own", false)],
            ),
            row(
                op,
                Door::Uploads,
                OwnUpload("GET", "", &[], ""),
                &[(Create, "team/own", false)],
            ),
            row(
                op,
                Door::Uploads,
                OwnUpload("DELETE", "", &[TUS], ""),
                &[(Create, "team/own", false)],
            ),
        ],
        Operation::Commit => vec![
            row(
                op,
                Door::Files,
                Request("PUT", "/team/new", &[], "new"),
                &[(Create, "team/new", false)],
            ),
            row(
                op,
                Door::Files,
                Request("PUT", "/team/over", &[], "new"),
                &[(Create, "team/over", false), (Replace, "team/over", false)],
            ),
            row(
                op,
                Door::Uploads,
                OwnUpload(
                    "PATCH",
                    "",
                    &[
                        TUS,
                        ("Upload-Offset", "0"),
                        ("Content-Type", "application/offset+octet-stream"),
                    ],
                    "own",
                ),
                &[(Create, "team/own", false)],
            ),
        ],
        Operation::Uploads => vec![row(
            op,
            Door::Uploads,
            Request("GET", "/.gaveta/uploads", &[], ""),
            &[(Manage, "", false)],
        )],
        Operation::MakeFolder => vec![row(
            op,
            Door::Session,
            Call(r#"{"id":1,"do":"make-folder","path":"team/folder"}"#),
            &[(Create, "team/folder", false)],
        )],
        Operation::Remove => vec![
            row(
                op,
                Door::Files,
                Request("DELETE", "/team/gone", &[], ""),
                &[(Delete, "team/gone", false)],
            ),
            row(
                op,
                Door::Session,
                Call(r#"{"id":1,"do":"delete","path":"team/gone"}"#),
                &[(Delete, "team/gone", false)],
            ),
            row(
                op,
                Door::Files,
                Request("DELETE", "/team?recursive=true", &[], ""),
                &[(Delete, "team", true)],
            ),
            row(
                op,
                Door::Session,
                Call(r#"{"id":1,"do":"delete","path":"team","recursive":true}"#),
                &[(Delete, "team", true)],
            ),
            row(
                op,
                Door::Session,
                Call(r#"{"id":1,"do":"delete","path":"team/gone","forever":true}"#),
                &[(Manage, "team/gone", true), (Delete, "team/gone", true)],
            ),
        ],
        Operation::Rename => vec![
            row(
                op,
                Door::Session,
                Call(r#"{"id":1,"do":"rename","from":"team/a","to":"team/b"}"#),
                &[
                    (Delete, "team/a", false),
                    (Read, "team/a", false),
                    (List, "team/a", false),
                    (Create, "team/b", false),
                ],
            ),
            row(
                op,
                Door::Session,
                Call(r#"{"id":1,"do":"rename","from":"team","to":"moved"}"#),
                &[
                    (Delete, "team", true),
                    (Read, "team", true),
                    (List, "team", true),
                    (Create, "moved", true),
                ],
            ),
            row(
                op,
                Door::Session,
                Call(r#"{"id":1,"do":"rename","from":"other/a","to":"team/b"}"#),
                &[
                    (Delete, "other/a", false),
                    (Read, "other/a", false),
                    (List, "other/a", false),
                    (Create, "team/b", false),
                ],
            ),
        ],
        Operation::Copy => vec![
            row(
                op,
                Door::Session,
                Call(r#"{"id":1,"do":"copy","from":"team/a","to":"team/b"}"#),
                &[
                    (Read, "team/a", false),
                    (List, "team/a", false),
                    (Create, "team/b", false),
                ],
            ),
            row(
                op,
                Door::Session,
                Call(r#"{"id":1,"do":"copy","from":"team","to":"copied"}"#),
                &[
                    (Read, "team", true),
                    (List, "team", true),
                    (Create, "copied", true),
                ],
            ),
            row(
                op,
                Door::Session,
                Call(
                    r#"{"id":1,"do":"copy","from":"other/a","to":"team/over","replace":"always"}"#,
                ),
                &[
                    (Read, "other/a", false),
                    (List, "other/a", false),
                    (Create, "team/over", false),
                    (Replace, "team/over", false),
                ],
            ),
        ],
        Operation::Touch => vec![row(
            op,
            Door::Session,
            Call(r#"{"id":1,"do":"touch","path":"team/a","modified":"2020-01-01T00:00:00Z"}"#),
            &[(Replace, "team/a", false)],
        )],
        Operation::Trash => vec![
            // Each sees what he may.
            row(op, Door::Session, Call(r#"{"id":1,"do":"trash"}"#), &[]),
            row(
                op,
                Door::Session,
                Call(r#"{"id":1,"do":"trash","path":"team"}"#),
                &[(List, "team", false)],
            ),
        ],
        Operation::OpenTrashed => vec![row(
            op,
            Door::Trash,
            Request("GET", "/.gaveta/trash/TRASHED", &[], ""),
            &[(List, "team/trashed", false), (Read, "team/trashed", false)],
        )],
        Operation::Restore => vec![
            row(
                op,
                Door::Session,
                Call(r#"{"id":1,"do":"restore","trashed":"TRASHED"}"#),
                &[
                    (List, "team/trashed", false),
                    (Delete, "team/trashed", true),
                    (Create, "team/trashed", true),
                ],
            ),
            row(
                op,
                Door::Session,
                Call(r#"{"id":1,"do":"restore","trashed":"TRASHED","to":"other/back"}"#),
                &[
                    (List, "team/trashed", false),
                    (Delete, "team/trashed", true),
                    (Create, "team/trashed", true),
                    (Read, "team/trashed", true),
                    (Create, "other/back", true),
                ],
            ),
            row(
                op,
                Door::Session,
                Call(
                    r#"{"id":1,"do":"restore","trashed":"TRASHED","to":"team/a","replace":"always"}"#,
                ),
                &[
                    (List, "team/trashed", false),
                    (Delete, "team/trashed", true),
                    (Create, "team/trashed", true),
                    (Read, "team/trashed", true),
                    (Create, "team/a", true),
                    (Replace, "team/a", false),
                ],
            ),
        ],
        Operation::Purge => vec![
            row(
                op,
                Door::Session,
                Call(r#"{"id":1,"do":"purge","trashed":"TRASHED"}"#),
                &[
                    (List, "team/trashed", false),
                    (Manage, "team/trashed", true),
                ],
            ),
            row(
                op,
                Door::Trash,
                Request("DELETE", "/.gaveta/trash/TRASHED", &[], ""),
                &[
                    (List, "team/trashed", false),
                    (Manage, "team/trashed", true),
                ],
            ),
        ],
        Operation::EmptyTrash => vec![
            row(
                op,
                Door::Session,
                Call(r#"{"id":1,"do":"empty-trash","path":"team"}"#),
                &[(Manage, "team", true), (List, "team", false)],
            ),
            row(
                op,
                Door::Session,
                Call(r#"{"id":1,"do":"empty-trash"}"#),
                &[(Manage, "", true)],
            ),
        ],
        Operation::TrashState => vec![row(
            op,
            Door::Session,
            Call(r#"{"id":1,"do":"trash-state"}"#),
            &[(List, "", false)],
        )],
        Operation::Verify => vec![
            row(
                op,
                Door::Session,
                Call(r#"{"id":1,"do":"verify"}"#),
                &[(Manage, "", false)],
            ),
            row(
                op,
                Door::Session,
                Call(r#"{"id":1,"do":"verify-start"}"#),
                &[(Manage, "", false)],
            ),
            row(
                op,
                Door::Session,
                Call(r#"{"id":1,"do":"verify-stop"}"#),
                &[(Manage, "", false)],
            ),
        ],
    }
}
