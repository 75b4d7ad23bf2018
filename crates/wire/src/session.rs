//! The messages of the session, and of a POST to [`COMMAND`](crate::route::COMMAND).
//!
//! Every message is one JSON object. The client sends [`Request`]s, each with an id of its choice;
//! the server answers each with an [`Reply`] of that id, in any order, and pushes [`Notice`]s.

mod call;
mod meaning;
mod told;

pub use call::{CALLS, Call, MAX_SESSION_PAGE, MoveBody, ReplaceBody, Request, SortBody};
pub use meaning::{Parsed, Secret};
pub use told::{AccountBody, AnswerBody, EventBody, FromServer, Notice, Outcome, Reply};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::EndBody;
    use crate::trash::TrashBody;
    use gaveta_core::{Command, MovePlan, Replace};

    #[test]
    fn a_request_reads_as_documented() {
        let text = r#"{"id":7,"do":"delete","path":"a b","recursive":true,"unknown":1}"#;
        let request: Request = serde_json::from_str(text).unwrap();
        assert_eq!(request.id, 7);
        let Parsed::Command(Command::Remove(path, plan)) = request.call.parse().unwrap() else {
            panic!("not a remove")
        };
        assert_eq!((path.as_str(), plan.recursive), ("a b", true));
        let text = r#"{"id":8,"do":"rename","from":"a","to":"b","replace":{"only":"v1"}}"#;
        let request: Request = serde_json::from_str(text).unwrap();
        assert!(matches!(
            request.call.parse().unwrap(),
            Parsed::Command(Command::Rename(
                _,
                _,
                MovePlan {
                    replace: Replace::Only(_),
                    ..
                }
            ))
        ));
    }

    #[test]
    fn every_call_is_in_the_help_and_leads_back() {
        let path = || String::from("a");
        let body = MoveBody {
            from: path(),
            to: path(),
            replace: ReplaceBody::Never,
            version: None,
        };
        let calls = [
            Call::SignIn {
                name: path(),
                password: path(),
            },
            Call::SignOut,
            Call::Whoami,
            Call::Help,
            Call::Ping,
            Call::Watch { path: path() },
            Call::Unwatch { path: path() },
            Call::List {
                path: path(),
                sort: None,
                descending: false,
                after: None,
                limit: None,
            },
            Call::Stat { path: path() },
            Call::MakeFolder { path: path() },
            Call::Rename(body.clone()),
            Call::Copy(body),
            Call::Touch {
                path: path(),
                modified: None,
                executable: None,
            },
            Call::Delete {
                path: path(),
                recursive: false,
                version: None,
                forever: false,
            },
            Call::Space,
            Call::Trash(TrashBody {
                path: Some(path()),
                ..TrashBody::default()
            }),
            Call::TrashState,
            Call::Restore {
                trashed: "0".repeat(32),
                to: Some(path()),
                replace: ReplaceBody::Never,
            },
            Call::Purge {
                trashed: "0".repeat(32),
            },
            Call::EmptyTrash(TrashBody::default()),
            Call::Verify { after: 3 },
            Call::VerifyStart { afresh: true },
            Call::VerifyStop,
        ];
        assert_eq!(calls.len(), CALLS.len());
        for (call, word) in calls.into_iter().zip(CALLS) {
            let json = serde_json::to_value(Request {
                id: 1,
                call: call.clone(),
            })
            .unwrap();
            assert_eq!(json["do"], *word);
            let back: Request = serde_json::from_value(json).unwrap();
            assert_eq!(back.call, call);
            if let Parsed::Command(command) = call.parse().unwrap() {
                assert_eq!(command.word(), *word);
            }
        }
    }

    #[test]
    fn what_the_server_sends_leads_back() {
        let end = EndBody::default();
        for message in [
            FromServer::Reply(Reply {
                id: Some(1),
                outcome: Outcome::Ok(AnswerBody::Done),
            }),
            FromServer::Reply(Reply {
                id: None,
                outcome: Outcome::Ok(AnswerBody::Page { list: vec![], end }),
            }),
            FromServer::Notice(Notice::Closing { grace_seconds: 3 }),
            FromServer::Notice(Notice::Missed { events: 3 }),
        ] {
            let json = serde_json::to_string(&message).unwrap();
            assert_eq!(
                serde_json::from_str::<FromServer>(&json).unwrap(),
                message,
                "{json}"
            );
        }
    }

    #[test]
    fn a_password_never_shows() {
        let call = Call::SignIn {
            name: "admin".into(),
            password: "hunter2".into(),
        };
        assert!(!format!("{call:?}").contains("hunter2"));
        assert!(!format!("{:?}", call.parse().unwrap()).contains("hunter2"));
    }
}
