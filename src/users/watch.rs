//! Follows the users file: what `callrelay user` writes counts within a second.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::watch::Sender;
use tokio::time::MissedTickBehavior;
use tracing::{info, warn};

use super::Users;

/// How often the file is looked at. It is a look at its metadata only.
const INTERVAL: Duration = Duration::from_secs(1);

/// Publishes the users each time the file at `path` changes, until nobody listens any more.
///
/// A file that is broken or missing leaves the last good users in force, with one warning for each
/// change of it.
pub async fn watch(path: PathBuf, users: Sender<Arc<Users>>) {
    let mut follower = Follower::new(path);
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = users.closed() => return,
            _ = ticks.tick() => {}
        }
        // One small file once a second; not worth a thread of its own.
        if let Some(read) = follower.look() {
            info!(users = read.len(), "the users file was read");
            users.send_replace(Arc::new(read));
        }
    }
}

/// Looks at the file and remembers how it was.
struct Follower {
    path: PathBuf,
    seen: Option<Stamp>,
}

/// What changes when a file does. `None` is a file that is not there.
type Stamp = Option<(Option<SystemTime>, u64, u64)>;

impl Follower {
    fn new(path: PathBuf) -> Self {
        Self { path, seen: None }
    }

    /// The users, if the file is another than at the last look and can be used.
    fn look(&mut self) -> Option<Users> {
        // Taken before the file is read: a change in between is seen at the next look.
        let stamp = stamp(&self.path);
        if self.seen.replace(stamp) == Some(stamp) {
            return None;
        }
        match Users::load(&self.path) {
            Ok(users) => Some(users),
            Err(error) => {
                let reason = std::error::Error::source(&error).map(ToString::to_string);
                warn!(%error, reason, "the users file cannot be used; the users stay as they were");
                None
            }
        }
    }
}

fn stamp(path: &Path) -> Stamp {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.modified().ok(), metadata.len(), inode(&metadata)))
}

/// A file that was replaced is another file, even if time and length are the same.
#[cfg(unix)]
fn inode(metadata: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn inode(_metadata: &fs::Metadata) -> u64 {
    0
}

#[cfg(test)]
mod tests {
    use super::super::UsersFile;
    use super::super::testing::user;
    use super::*;
    use crate::model::UserId;

    fn ids(users: Option<Users>) -> Option<Vec<String>> {
        users.map(|users| users.iter().map(|user| user.id.to_string()).collect())
    }

    fn add(path: &Path, id: &str) {
        let mut file = UsersFile::open(path).unwrap();
        file.add(&user(id, &["1001"], "x"), false).unwrap();
        file.save().unwrap();
    }

    #[test]
    fn each_change_is_read_once_and_a_broken_file_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users.toml");
        let mut follower = Follower::new(path.clone());

        assert_eq!(ids(follower.look()), None);
        add(&path, "alice");
        assert_eq!(ids(follower.look()), Some(vec!["alice".to_owned()]));
        assert_eq!(ids(follower.look()), None);
        add(&path, "bob");
        assert_eq!(
            ids(follower.look()),
            Some(vec!["alice".to_owned(), "bob".to_owned()])
        );

        fs::write(&path, "broken =").unwrap();
        assert_eq!(ids(follower.look()), None);
        fs::remove_file(&path).unwrap();
        assert_eq!(ids(follower.look()), None);
        fs::write(&path, "").unwrap();
        assert_eq!(ids(follower.look()), Some(vec![]));
    }

    #[tokio::test]
    async fn a_change_of_the_file_is_published_until_nobody_listens() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users.toml");
        add(&path, "alice");
        let (sender, mut receiver) = tokio::sync::watch::channel(Arc::new(Users::new(vec![])));
        let task = tokio::spawn(watch(path, sender));

        receiver.changed().await.unwrap();
        assert!(receiver.borrow().find(&UserId::new("alice")).is_some());
        drop(receiver);
        task.await.unwrap();
    }
}
