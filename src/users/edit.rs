//! Changing the users file without losing what the operator wrote around the entries.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use toml_edit::{ArrayOfTables, DocumentMut, Item, Table, value};

use super::read::{check_id, check_phones};
use super::{User, Users, UsersError};
use crate::model::UserId;

/// Why the users file was not changed.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// The file as it is cannot be used.
    #[error(transparent)]
    Broken(#[from] UsersError),
    /// There is a user with this id already.
    #[error("there is a user \"{0}\" already")]
    Exists(UserId),
    /// There is no user with this id.
    #[error("there is no user \"{0}\"")]
    Missing(UserId),
    /// The new user cannot be as it is.
    #[error("{0}")]
    Invalid(String),
    /// The file could not be written. The old one is still there.
    #[error("cannot write {}", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// The users file, open for changes. Nothing is written before [`UsersFile::save`].
#[derive(Debug)]
pub struct UsersFile {
    /// As it was named, for messages.
    path: PathBuf,
    /// The file itself: through a symbolic link the file is replaced, not the link.
    target: PathBuf,
    document: DocumentMut,
    users: Users,
    /// Held until this is dropped, so that two commands at once do not undo each other.
    _lock: Option<File>,
}

impl UsersFile {
    /// Opens the file; one that is not there is as good as an empty one.
    pub fn open(path: &Path) -> Result<Self, EditError> {
        let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let path = path.to_owned();
        let lock = File::open(folder(&target))
            .ok()
            .filter(|folder| folder.lock().is_ok());
        let text = match fs::read_to_string(&target) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(source) => return Err(UsersError::Unreadable { path, source }.into()),
        };
        let users = Users::parse(&path, &text)?;
        let document = text.parse::<DocumentMut>().map_err(|error| UsersError::Syntax {
            path: path.clone(),
            line: 1,
            message: error.message().to_owned(),
        })?;
        Ok(Self {
            path,
            target,
            document,
            users,
            _lock: lock,
        })
    }

    /// The users as they were when the file was opened.
    #[must_use]
    pub fn users(&self) -> &Users {
        &self.users
    }

    /// Adds a user at the end; with `replace`, one that is there gets the new phones and password and
    /// is enabled.
    pub fn add(&mut self, user: &User, replace: bool) -> Result<(), EditError> {
        let phones: Vec<String> = user.phones.iter().map(ToString::to_string).collect();
        check_id(user.id.as_str()).map_err(EditError::Invalid)?;
        check_phones(&phones).map_err(EditError::Invalid)?;
        let exists = self.users.find(&user.id).is_some();
        if exists && !replace {
            return Err(EditError::Exists(user.id.clone()));
        }
        if !exists {
            let mut table = Table::new();
            table["id"] = value(user.id.as_str());
            self.list()?.push(table);
        }
        let table = self.entry(&user.id)?;
        table["phones"] = value(phones.iter().collect::<toml_edit::Array>());
        table["password_hash"] = value(user.password_hash.as_phc());
        set_disabled(table, user.disabled);
        Ok(())
    }

    /// Takes a user out.
    pub fn remove(&mut self, id: &UserId) -> Result<(), EditError> {
        let at = self.position(id)?;
        self.list()?.remove(at);
        Ok(())
    }

    /// Shuts a user out, or lets it in again.
    pub fn disable(&mut self, id: &UserId, disabled: bool) -> Result<(), EditError> {
        set_disabled(self.entry(id)?, disabled);
        Ok(())
    }

    /// Writes the file: all of it or nothing, also if power fails.
    ///
    /// A new file is for its owner only. One that was there keeps owner, group and mode, so that the
    /// relay can read what root has changed, but is never left open to everybody.
    pub fn save(self) -> Result<(), EditError> {
        let text = self.document.to_string();
        Users::parse(&self.path, &text)?;
        replace_file(&self.target, text.as_bytes()).map_err(|source| EditError::Unwritable {
            path: self.path.clone(),
            source,
        })
    }

    fn list(&mut self) -> Result<&mut ArrayOfTables, EditError> {
        let item = self
            .document
            .entry("user")
            .or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()));
        item.as_array_of_tables_mut().ok_or_else(|| {
            EditError::Invalid("write users as [[user]] entries, not as a list in one line".to_owned())
        })
    }

    fn position(&mut self, id: &UserId) -> Result<usize, EditError> {
        let is_it = |table: &Table| table.get("id").and_then(Item::as_str) == Some(id.as_str());
        self.list()?
            .iter()
            .position(is_it)
            .ok_or_else(|| EditError::Missing(id.clone()))
    }

    fn entry(&mut self, id: &UserId) -> Result<&mut Table, EditError> {
        let at = self.position(id)?;
        self.list()?
            .get_mut(at)
            .ok_or_else(|| EditError::Missing(id.clone()))
    }
}

fn set_disabled(table: &mut Table, disabled: bool) {
    if disabled {
        table["disabled"] = value(true);
    } else {
        table.remove("disabled");
    }
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    }
}

fn replace_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let new = path.with_file_name(name);
    let written = write_new(&new, path, bytes).and_then(|()| fs::rename(&new, path));
    if written.is_err() {
        // It holds password hashes; whether it could be removed is not worth a second error.
        let _ = fs::remove_file(&new);
        return written;
    }
    sync_folder(folder(path))
}

#[cfg(unix)]
fn write_new(new: &Path, old: &Path, bytes: &[u8]) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};

    let mut file = File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(new)?;
    if let Ok(old) = fs::metadata(old) {
        let mine = file.metadata()?;
        if (mine.uid(), mine.gid()) != (old.uid(), old.gid()) {
            fchown(&file, Some(old.uid()), Some(old.gid()))?;
        }
        file.set_permissions(fs::Permissions::from_mode(old.mode() & 0o660))?;
    }
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(not(unix))]
fn write_new(new: &Path, _old: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::options().write(true).create_new(true).open(new)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::user;
    use super::*;

    struct Scene {
        folder: tempfile::TempDir,
        path: PathBuf,
    }

    impl Scene {
        fn new(text: &str) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("users.toml");
            fs::write(&path, text).unwrap();
            Self { folder, path }
        }

        fn edit(&self, change: impl FnOnce(&mut UsersFile) -> Result<(), EditError>) -> Result<(), String> {
            let mut file = UsersFile::open(&self.path).map_err(|error| error.to_string())?;
            change(&mut file)
                .and_then(|()| file.save())
                .map_err(|error| error.to_string())
        }

        fn text(&self) -> String {
            fs::read_to_string(&self.path).unwrap()
        }
    }

    fn written(id: &str, phones: &str, password: &str) -> String {
        let hash = user(id, &["1"], password).password_hash;
        format!(
            "[[user]]\nid = \"{id}\"\nphones = [{phones}]\npassword_hash = \"{}\"\n",
            hash.as_phc()
        )
    }

    #[test]
    fn what_the_operator_wrote_around_the_entries_survives_every_change() {
        let alice = written("alice", "\"1001\"", "x");
        let scene = Scene::new(&format!(
            "# Sales, ground floor\n\n# She has the desk by the door\n{alice}"
        ));
        scene
            .edit(|file| file.add(&user("bob", &["1002", "1003"], "y"), false))
            .unwrap();
        let bob = written("bob", "\"1002\", \"1003\"", "y");
        let both = format!("# Sales, ground floor\n\n# She has the desk by the door\n{alice}\n{bob}");
        assert_eq!(scene.text(), both);

        scene
            .edit(|file| file.disable(&UserId::new("alice"), true))
            .unwrap();
        assert_eq!(
            scene.text(),
            both.replace("\n\n[[user]]", "\ndisabled = true\n\n[[user]]")
        );
        scene
            .edit(|file| file.disable(&UserId::new("alice"), false))
            .unwrap();
        assert_eq!(scene.text(), both);

        scene.edit(|file| file.remove(&UserId::new("bob"))).unwrap();
        assert_eq!(
            scene.text(),
            format!("# Sales, ground floor\n\n# She has the desk by the door\n{alice}")
        );
    }

    #[test]
    fn a_user_who_is_there_is_changed_only_when_asked_for() {
        let scene = Scene::new(&format!(
            "# hers\n{}disabled = true\n",
            written("alice", "\"1001\"", "x")
        ));
        let before = scene.text();
        let new = user("alice", &["1009"], "z");
        assert_eq!(
            scene.edit(|file| file.add(&new, false)),
            Err("there is a user \"alice\" already".to_owned())
        );
        assert_eq!(scene.text(), before);
        scene.edit(|file| file.add(&new, true)).unwrap();
        assert_eq!(
            scene.text(),
            format!("# hers\n{}", written("alice", "\"1009\"", "z"))
        );
    }

    #[test]
    fn changes_that_make_no_sense_are_refused_and_leave_the_file_alone() {
        let scene = Scene::new("");
        for (change, expected) in [
            (
                scene.edit(|file| file.remove(&UserId::new("x"))),
                "there is no user \"x\"",
            ),
            (
                scene.edit(|file| file.disable(&UserId::new("x"), true)),
                "there is no user \"x\"",
            ),
            (
                scene.edit(|file| file.add(&user("x", &[], "p"), false)),
                "there must be at least one phone",
            ),
        ] {
            assert_eq!(change, Err(expected.to_owned()));
        }
        assert_eq!(scene.text(), "");
        fs::write(&scene.path, "user = [").unwrap();
        assert!(
            scene
                .edit(|file| file.add(&user("x", &["1"], "p"), false))
                .is_err()
        );
        assert_eq!(scene.text(), "user = [");
    }

    #[cfg(unix)]
    #[test]
    fn the_file_is_for_its_owner_and_nothing_else_is_left_beside_it() {
        use std::os::unix::fs::PermissionsExt;

        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let scene = Scene::new("");
        fs::remove_file(&scene.path).unwrap();
        scene
            .edit(|file| file.add(&user("alice", &["1001"], "x"), false))
            .unwrap();
        assert_eq!(mode(&scene.path), 0o600);
        fs::set_permissions(&scene.path, fs::Permissions::from_mode(0o644)).unwrap();
        scene
            .edit(|file| file.add(&user("bob", &["1001"], "x"), false))
            .unwrap();
        assert_eq!(mode(&scene.path), 0o640);
        assert_eq!(fs::read_dir(scene.folder.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_to_the_file_stays_a_link() {
        let scene = Scene::new("");
        let link = scene.folder.path().join("link.toml");
        std::os::unix::fs::symlink(&scene.path, &link).unwrap();
        let mut file = UsersFile::open(&link).unwrap();
        file.add(&user("alice", &["1001"], "x"), false).unwrap();
        file.save().unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(scene.text(), written("alice", "\"1001\"", "x"));
    }

    #[cfg(unix)]
    #[test]
    fn commands_at_the_same_time_do_not_undo_each_other() {
        let scene = Scene::new("");
        std::thread::scope(|scope| {
            for number in 0..8 {
                let scene = &scene;
                scope.spawn(move || {
                    let new = user(&format!("user-{number}"), &["1001"], "x");
                    scene.edit(|file| file.add(&new, false)).unwrap();
                });
            }
        });
        assert_eq!(Users::load(&scene.path).unwrap().len(), 8);
    }
}
