//! Operations of the model: renaming, copying, removing, making folders, touching.

use gaveta_core::{Error, ErrorKind, MovePlan, Path, RemovePlan, TouchPlan};

use super::tree::Condition;
use super::{Run, Step, judge, second};

impl Run {
    /// Renames or copies.
    pub(super) async fn relocate(&mut self, rename: bool) -> Step {
        let (from, to) = (self.path(), self.path());
        let condition = self.condition();
        let source =
            *self
                .rng
                .pick(&[None, None, Some(Condition::Right), Some(Condition::Strange)]);
        let deep = self.model.beneath(&from).len();
        if deep > 20 || to.depth() > 6 {
            return Ok(());
        }
        let replace = self.replace(&to, condition).await;
        let version = match source {
            Some(source) => Some(self.version(&from, source).await),
            None => None,
        };
        let plan = MovePlan {
            replace,
            version,
            ..MovePlan::default()
        };
        self.tell(format!("rename: {rename}, {from:?} to {to:?}, {plan:?}"));
        let legitimate = self.model.moving(&from, &to, condition, source);
        let result = if rename {
            self.store.rename(&from, &to, plan).await
        } else {
            self.store.copy(&from, &to, plan).await
        };
        if from == to && legitimate.is_empty() {
            return onto_itself(&result, rename, condition);
        }
        if judge(&result, &legitimate)? {
            if rename {
                self.model.rename(&from, &to);
            } else {
                self.model.copy(&from, &to);
            }
        }
        Ok(())
    }

    pub(super) async fn remove(
        &mut self,
        path: Path,
        recursive: bool,
        named: Option<Condition>,
    ) -> Step {
        let version = match named {
            Some(condition) => Some(self.version(&path, condition).await),
            None => None,
        };
        self.tell(format!(
            "remove {path:?}, recursive: {recursive}, {version:?}"
        ));
        let mut legitimate = self.model.missing(&path);
        let there = legitimate.is_empty();
        if named == Some(Condition::Strange) || (named.is_some() && !there) {
            legitimate.push(ErrorKind::VersionMismatch);
        }
        if !recursive && there && !self.model.beneath(&path).is_empty() {
            legitimate.push(ErrorKind::NotEmpty);
        }
        let result = self
            .store
            .remove(
                &path,
                RemovePlan {
                    recursive,
                    version,
                    ..RemovePlan::default()
                },
            )
            .await;
        if judge(&result, &legitimate)? {
            self.model.remove(&path);
        }
        Ok(())
    }

    pub(super) async fn make_folder(&mut self) -> Step {
        let path = self.path();
        self.tell(format!("make folder {path:?}"));
        let mut legitimate = vec![];
        if self.model.is_there(&path) {
            legitimate.push(ErrorKind::Exists);
        } else if let Some(parent) = path.parent() {
            legitimate = self.model.missing(&parent);
            if self.model.is_file(&parent) {
                legitimate.push(ErrorKind::NotFolder);
            }
        }
        let result = self.store.make_folder(&path).await;
        if judge(&result, &legitimate)? {
            self.model.make_folder(&path);
        }
        Ok(())
    }

    pub(super) async fn touch(&mut self) -> Step {
        let path = self.path();
        let modified = self.rng.once_in(2).then(|| second(self.rng.below(50)));
        let executable = *self.rng.pick(&[None, Some(true), Some(false)]);
        self.tell(format!("touch {path:?}, {modified:?}, {executable:?}"));
        let mut legitimate = self.model.missing(&path);
        if executable.is_some() && !self.model.is_file(&path) {
            legitimate.push(ErrorKind::IsFolder);
        }
        let result = self
            .store
            .touch(
                &path,
                TouchPlan {
                    modified,
                    executable,
                },
            )
            .await;
        if judge(&result, &legitimate)?
            && let Some(node) = self.model.nodes.get_mut(path.as_str())
            && node.content.is_some()
        {
            node.modified = modified.or(node.modified);
            node.executable = executable.unwrap_or(node.executable);
        }
        Ok(())
    }
}

/// An entry moved onto itself stays; one copied onto itself may be refused; so may a condition
/// that does not hold.
fn onto_itself<T>(result: &Result<T, Error>, rename: bool, condition: Condition) -> Step {
    match result {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::VersionMismatch => {
            let fits = condition == Condition::Strange;
            if fits {
                Ok(())
            } else {
                Err("its version was named rightly".into())
            }
        }
        Err(error) if !rename => {
            use ErrorKind::{BadMove, Exists, IsFolder, NotFolder};
            let fits = matches!(error.kind(), Exists | BadMove | IsFolder | NotFolder);
            if fits { Ok(()) } else { Err(error.chain()) }
        }
        Err(error) => Err(format!(
            "renaming to itself does nothing, and failed: {error}"
        )),
    }
}
