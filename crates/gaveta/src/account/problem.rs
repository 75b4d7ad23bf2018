//! What is wrong with the file of the accounts, in the person's words.

use std::path::Path;

use gaveta_server::{FileProblem, Problem, ProblemKind};
use gaveta_text::{Text, escape};

/// One sentence, which names the line where there is one.
pub(crate) fn say(text: &Text, problem: &FileProblem) -> String {
    let shown = |path: &Path| escape(&path.display().to_string()).into_owned();
    let named =
        |key: &str, name: &str| text.say(key, &[("name", escape(name).into_owned().into())]);
    match problem {
        FileProblem::Io(path, error) => text.say(
            "account-file-failed",
            &[
                ("path", shown(path).into()),
                ("reason", escape(&error.to_string()).into_owned().into()),
            ],
        ),
        FileProblem::Exposed(path) => named("account-file-exposed", &shown(path)),
        FileProblem::Unreadable(path) => named("account-file-unreadable", &shown(path)),
        FileProblem::Locked(path) => named("account-file-locked", &shown(path)),
        FileProblem::NoAccount(name) => named("account-unknown", name),
        FileProblem::Taken(name) => named("account-taken", name),
        FileProblem::NoKey => text.say("account-no-key", &[]),
        FileProblem::Wrong(path, problem) => text.say(
            "account-file-wrong",
            &[
                ("path", shown(path).into()),
                ("line", problem.line.to_string().into()),
                ("reason", reason(text, problem).into()),
            ],
        ),
    }
}

fn reason(text: &Text, problem: &Problem) -> String {
    let key = match problem.kind {
        ProblemKind::Syntax => "account-wrong-syntax",
        ProblemKind::UnknownKey => "account-wrong-key",
        ProblemKind::WrongType => "account-wrong-type",
        ProblemKind::BadName => "account-wrong-name",
        ProblemKind::TwiceName => "account-wrong-twice",
        ProblemKind::BadGrant => "account-wrong-grant",
        ProblemKind::BadPath => "account-wrong-path",
        ProblemKind::BadHash => "account-wrong-hash",
        ProblemKind::BadKey => "account-wrong-ssh-key",
        ProblemKind::BadQuota => "account-wrong-quota",
        ProblemKind::BadDate => "account-wrong-date",
        ProblemKind::TooMany => "account-wrong-many",
    };
    let about = escape(&problem.about).replace(['\n', '\r'], " ");
    text.say(key, &[("about", about.into())])
}
