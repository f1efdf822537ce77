//! The embedded store: one SQLite file.
//!
//! Write-ahead log with `synchronous=FULL`: a commit returns after the log was synced. Messages are
//! appended and found again by row number, so that a commit touches few pages; `secure_delete`
//! overwrites what is erased, and [`SqliteStore::scrub`] empties the log, which would still hold it.
//!
//! See <https://www.sqlite.org/wal.html> and <https://www.sqlite.org/pragma.html#pragma_secure_delete>.

use std::ffi::c_int;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::hooks::Wal;
use rusqlite::{Connection, ErrorCode, OptionalExtension, Row, Transaction, params};
use tracing::warn;

use super::{MailboxStore, StoreError, codec};
use crate::files::{Folder, folder_of, sync_folder};
use crate::model::{Body, CallId, FileId, MessageId, Moment, Phone, TerminalName};
use crate::relay::Write;
use crate::relay::record::{FileRecord, MessageHead, RestoredCall, StoredMessage};

/// The schema, step by step; `user_version` tells how many steps a file has taken.
const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE calls (
        id TEXT PRIMARY KEY,
        state TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE messages (
        row INTEGER PRIMARY KEY,
        call TEXT NOT NULL,
        number INTEGER NOT NULL,
        id TEXT NOT NULL,
        reference TEXT NOT NULL,
        sender TEXT NOT NULL,
        recipients TEXT NOT NULL,
        kind TEXT NOT NULL,
        key TEXT,
        body TEXT NOT NULL,
        sent_at INTEGER NOT NULL,
        held INTEGER NOT NULL
    );
    CREATE TABLE meta (
        name TEXT PRIMARY KEY,
        value BLOB NOT NULL
    ) WITHOUT ROWID;
",
    "
    ALTER TABLE messages ADD COLUMN replaced INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE messages ADD COLUMN terminal TEXT NOT NULL DEFAULT '';
",
    "
    ALTER TABLE messages ADD COLUMN file TEXT;
    CREATE TABLE files (
        id TEXT PRIMARY KEY,
        call TEXT NOT NULL,
        phone TEXT NOT NULL,
        name TEXT NOT NULL,
        size INTEGER NOT NULL,
        media_type TEXT NOT NULL,
        sha256 TEXT NOT NULL
    ) WITHOUT ROWID;
",
];

/// How long to wait for somebody else who has the file open, such as a backup.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);
/// What has to fit before a store that had no room counts as having some: a message, and what goes with it.
const PROBE_BYTES: u64 = 128 * 1024;

/// Pages in the log from which on they are brought into the file, 4 MiB.
const CHECKPOINT_PAGES: c_int = 1_000;

/// A SQLite file that keeps mailboxes.
#[derive(Debug)]
pub struct SqliteStore {
    connection: Connection,
    /// Where the bytes of files are.
    files: Folder,
    /// Held for as long as the store is open: two relays must not share a file.
    _lock: File,
}

impl SqliteStore {
    /// Opens the database, makes it if there is none, and checks it. Uploaded files are in a folder of their own.
    pub fn open(path: &Path, files: Folder) -> Result<Self, StoreError> {
        let lock = lock(path)?;
        let mut connection = Connection::open(path).map_err(|error| failed(&error))?;
        connection.set_prepared_statement_cache_capacity(32);
        connection
            .busy_timeout(BUSY_TIMEOUT)
            .and_then(|()| connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true))
            .and_then(|_| connection.wal_hook(Some(checkpoint)))
            .map_err(|error| failed(&error))?;
        for (pragma, value) in [
            ("journal_mode", "WAL"),
            ("synchronous", "FULL"),
            ("secure_delete", "ON"),
        ] {
            connection
                .pragma_update(None, pragma, value)
                .map_err(|error| failed(&error))?;
        }
        check(&connection)?;
        migrate(&mut connection)?;
        check_log(&connection)?;
        sync_folder_of(path)?;
        Ok(Self {
            connection,
            files,
            _lock: lock,
        })
    }

    /// The key that resume tokens are signed with; `fresh` is kept if there is none yet.
    pub fn token_key(&mut self, fresh: [u8; 32]) -> Result<[u8; 32], StoreError> {
        let find = "SELECT value FROM meta WHERE name = 'token_key'";
        let known: Option<Vec<u8>> = self
            .connection
            .query_row(find, [], |row| row.get(0))
            .optional()
            .map_err(|error| failed(&error))?;
        if let Some(key) = known {
            return key
                .try_into()
                .map_err(|_| StoreError::Foreign("the token key has a wrong length".to_owned()));
        }
        self.connection
            .execute(
                "INSERT INTO meta (name, value) VALUES ('token_key', ?1)",
                params![fresh.as_slice()],
            )
            .map_err(|error| failed(&error))?;
        Ok(fresh)
    }
}

impl MailboxStore for SqliteStore {
    fn load(&mut self) -> Result<Vec<RestoredCall>, StoreError> {
        for table in ["messages", "files"] {
            let forget = format!("DELETE FROM {table} WHERE call NOT IN (SELECT id FROM calls)");
            self.connection
                .execute(&forget, [])
                .map_err(|error| failed(&error))?;
        }
        let mut find = self
            .connection
            .prepare("SELECT id, state FROM calls")
            .map_err(|error| failed(&error))?;
        let texts: Vec<(String, String)> = find
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .and_then(Iterator::collect)
            .map_err(|error| failed(&error))?;
        let mut calls = std::collections::BTreeMap::new();
        for (id, text) in texts {
            let record = codec::decode(&id, &text).map_err(|error| StoreError::Foreign(error.to_string()))?;
            calls.insert(
                id,
                RestoredCall {
                    record,
                    messages: Vec::new(),
                    files: Vec::new(),
                },
            );
        }
        let mut find = self
            .connection
            .prepare(
                "SELECT call, row, number, id, reference, sender, key, length(CAST(body AS BLOB)), held, replaced,
                        terminal, file
                 FROM messages ORDER BY row",
            )
            .map_err(|error| failed(&error))?;
        let heads = find
            .query_map([], |row| Ok((row.get::<_, String>(0)?, head(row)?)))
            .map_err(|error| failed(&error))?;
        for found in heads {
            let (call, head) = found.map_err(|error| failed(&error))?;
            if let Some(call) = calls.get_mut(&call) {
                call.messages.push(head);
            }
        }
        let mut find = self
            .connection
            .prepare("SELECT id, call, phone, name, size, media_type, sha256 FROM files ORDER BY id")
            .map_err(|error| failed(&error))?;
        let found: Vec<FileRecord> = find
            .query_map([], file)
            .and_then(Iterator::collect)
            .map_err(|error| failed(&error))?;
        // An upload that did not come to its end left something, or an end that was not carried out.
        self.files.keep_only(found.iter().map(|record| &record.file))?;
        for record in found {
            if let Some(call) = calls.get_mut(record.call.as_str()) {
                call.files.push(record);
            }
        }
        Ok(calls.into_values().collect())
    }

    fn commit(&mut self, writes: &[Write]) -> Result<(), StoreError> {
        let transaction = self.connection.transaction().map_err(|error| failed(&error))?;
        for write in writes {
            apply(&transaction, write)?;
        }
        transaction.commit().map_err(|error| failed(&error))?;
        for write in writes {
            if let Write::EraseFile(file) = write {
                self.files.remove(file);
            }
        }
        Ok(())
    }

    fn read(&mut self, rows: &[u64]) -> Result<Vec<StoredMessage>, StoreError> {
        let mut find = self
            .connection
            .prepare_cached(
                "SELECT row, call, number, id, reference, sender, recipients, kind, key, body, sent_at, held,
                        terminal, file
                 FROM messages WHERE row = ?1",
            )
            .map_err(|error| failed(&error))?;
        let found = rows
            .iter()
            .filter_map(|row| find.query_row(params![row], message).optional().transpose());
        found.collect::<Result<_, _>>().map_err(|error| failed(&error))
    }

    fn probe(&mut self) -> Result<(), StoreError> {
        for statement in [
            "INSERT OR REPLACE INTO meta (name, value) VALUES ('probe', zeroblob(?1))",
            "DELETE FROM meta WHERE name = 'probe' AND length(value) = ?1",
        ] {
            self.connection
                .execute(statement, params![PROBE_BYTES])
                .map_err(|error| failed(&error))?;
        }
        Ok(())
    }

    fn scrub(&mut self) -> Result<(), StoreError> {
        let truncate = "PRAGMA wal_checkpoint(TRUNCATE)";
        // Commits come first: it does not wait for somebody who reads.
        let blocked = self.connection.busy_timeout(Duration::ZERO).and_then(|()| {
            self.connection
                .query_row(truncate, [], |row| row.get::<_, bool>(0))
        });
        self.connection
            .busy_timeout(BUSY_TIMEOUT)
            .map_err(|error| failed(&error))?;
        if blocked.map_err(|error| failed(&error))? {
            return Err(StoreError::NoRoom("somebody else reads the file".to_owned()));
        }
        Ok(())
    }

    fn close(self) {
        let close = self
            .connection
            .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)
            .and_then(|_| self.connection.close().map_err(|(_, error)| error));
        if let Err(error) = close {
            // Nothing is lost: the log is read by whoever opens it next.
            warn!(%error, "the store was not closed in good order");
        }
    }
}

fn apply(transaction: &Transaction<'_>, write: &Write) -> Result<(), StoreError> {
    let done = match write {
        Write::Append(message) => append(transaction, message)?,
        Write::PutCall(record) => {
            let state = codec::encode(record).map_err(|error| StoreError::Broken(error.to_string()))?;
            transaction
                .prepare_cached(
                    "INSERT INTO calls (id, state) VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET state = ?2",
                )
                .and_then(|mut put| put.execute(params![record.call.as_str(), state]))
        }
        Write::MoveMessages { rows, into, offset } => {
            let mut set = transaction
                .prepare_cached("UPDATE messages SET call = ?2, number = number + ?3 WHERE row = ?1")
                .map_err(|error| failed(&error))?;
            rows.iter().try_fold(0, |moved, row| {
                Ok(moved + set.execute(params![row, into.as_str(), offset])?)
            })
        }
        Write::BlankMessages(rows) => {
            let mut blank = transaction
                .prepare_cached(
                    "UPDATE messages
                     SET recipients = '[]', kind = '', key = NULL, body = '', file = NULL, replaced = 1
                     WHERE row = ?1",
                )
                .map_err(|error| failed(&error))?;
            rows.iter()
                .try_fold(0, |blanked, row| Ok(blanked + blank.execute(params![row])?))
        }
        Write::EraseMessages(rows) => {
            let mut erase = transaction
                .prepare_cached("DELETE FROM messages WHERE row = ?1")
                .map_err(|error| failed(&error))?;
            rows.iter()
                .try_fold(0, |erased, row| Ok(erased + erase.execute(params![row])?))
        }
        Write::EraseCall(call) => transaction
            .prepare_cached("DELETE FROM calls WHERE id = ?1")
            .and_then(|mut erase| erase.execute(params![call.as_str()])),
        Write::PutFile(record) => transaction
            .prepare_cached(
                "INSERT INTO files (id, call, phone, name, size, media_type, sha256)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (id) DO UPDATE SET call = ?2",
            )
            .and_then(|mut put| {
                put.execute(params![
                    record.file.as_str(),
                    record.call.as_str(),
                    record.phone.as_str(),
                    record.name,
                    record.size,
                    record.media_type,
                    record.sha256,
                ])
            }),
        Write::EraseFile(file) => transaction
            .prepare_cached("DELETE FROM files WHERE id = ?1")
            .and_then(|mut erase| erase.execute(params![file.as_str()])),
    };
    done.map(|_| ()).map_err(|error| failed(&error))
}

fn append(
    transaction: &Transaction<'_>,
    message: &StoredMessage,
) -> Result<rusqlite::Result<usize>, StoreError> {
    let to: Vec<&str> = message.to.iter().map(Phone::as_str).collect();
    let to = serde_json::to_string(&to).map_err(|error| StoreError::Broken(error.to_string()))?;
    let insert = transaction.prepare_cached(
        "INSERT INTO messages
             (row, call, number, id, reference, sender, recipients, kind, key, body, sent_at, held, terminal, file)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
    );
    Ok(insert.and_then(|mut insert| {
        insert.execute(params![
            message.row,
            message.call.as_str(),
            message.number,
            message.id.as_str(),
            message.reference,
            message.from.as_str(),
            to,
            message.kind,
            message.key,
            message.body.as_json(),
            message.sent_at.as_micros(),
            message.held,
            message.terminal.as_str(),
            message.file.as_ref().map(FileId::as_str),
        ])
    }))
}

fn head(row: &Row<'_>) -> rusqlite::Result<MessageHead> {
    Ok(MessageHead {
        row: row.get(1)?,
        number: row.get(2)?,
        id: MessageId::new(row.get::<_, String>(3)?),
        reference: row.get(4)?,
        from: Phone::new(row.get::<_, String>(5)?),
        key: row.get(6)?,
        size: row.get(7)?,
        held: row.get(8)?,
        replaced: row.get(9)?,
        terminal: TerminalName::new(row.get::<_, String>(10)?),
        file: row.get::<_, Option<String>>(11)?.map(FileId::new),
    })
}

fn file(row: &Row<'_>) -> rusqlite::Result<FileRecord> {
    Ok(FileRecord {
        file: FileId::new(row.get::<_, String>(0)?),
        call: CallId::new(row.get::<_, String>(1)?),
        phone: Phone::new(row.get::<_, String>(2)?),
        name: row.get(3)?,
        size: row.get(4)?,
        media_type: row.get(5)?,
        sha256: row.get(6)?,
    })
}

fn message(row: &Row<'_>) -> rusqlite::Result<StoredMessage> {
    let to: String = row.get(6)?;
    let to: Vec<String> = serde_json::from_str(&to).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(6, rusqlite::types::Type::Text, Box::new(error))
    })?;
    Ok(StoredMessage {
        row: row.get(0)?,
        call: CallId::new(row.get::<_, String>(1)?),
        number: row.get(2)?,
        id: MessageId::new(row.get::<_, String>(3)?),
        reference: row.get(4)?,
        from: Phone::new(row.get::<_, String>(5)?),
        to: to.into_iter().map(Phone::new).collect(),
        kind: row.get(7)?,
        key: row.get(8)?,
        body: Body::new(row.get::<_, String>(9)?),
        sent_at: Moment::from_micros(row.get(10)?),
        held: row.get(11)?,
        terminal: TerminalName::new(row.get::<_, String>(12)?),
        file: row.get::<_, Option<String>>(13)?.map(FileId::new),
    })
}

/// After each commit. SQLite would do the same by itself, and keep quiet if a sync fails.
fn checkpoint(log: &mut Wal, pages: c_int) -> rusqlite::Result<()> {
    if pages < CHECKPOINT_PAGES {
        return Ok(());
    }
    match log.checkpoint() {
        // It is tried again after the next commit; what was committed is safe in the log.
        Err(error) if matches!(failed(&error), StoreError::NoRoom(_)) => Ok(()),
        done => done,
    }
}

/// Takes the lock beside the file.
fn lock(path: &Path) -> Result<File, StoreError> {
    let beside = PathBuf::from(format!("{}.lock", path.display()));
    let broken = |what: &str| StoreError::Broken(format!("{}: {what}", beside.display()));
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&beside);
    let file = file.map_err(|error| broken(&error.to_string()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(broken("another relay uses this store")),
        Err(TryLockError::Error(error)) => Err(broken(&error.to_string())),
    }
}

/// Refuses a file that has no write-ahead log: if SQLite cannot change to it, it stays as it is, and that is no error
/// to it. What is promised here would not be true then.
fn check_log(connection: &Connection) -> Result<(), StoreError> {
    let mode: String = connection
        .query_row("PRAGMA journal_mode", [], |row| row.get(0))
        .map_err(|error| failed(&error))?;
    if mode == "wal" {
        return Ok(());
    }
    let what = format!("there is no write-ahead log, the journal mode is \"{mode}\"");
    Err(StoreError::Broken(what))
}

/// Makes sure that the database and its log are there after a power cut: both have been made by now. SQLite syncs the
/// folder too, and keeps quiet if that fails.
fn sync_folder_of(path: &Path) -> Result<(), StoreError> {
    let folder = folder_of(path);
    sync_folder(folder).map_err(|error| StoreError::Broken(format!("{}: {error}", folder.display())))
}

/// Refuses a damaged file before anything is promised on it.
fn check(connection: &Connection) -> Result<(), StoreError> {
    let verdict: String = connection
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(|error| StoreError::Broken(error.to_string()))?;
    if verdict == "ok" {
        Ok(())
    } else {
        Err(StoreError::Broken(format!("the file is damaged: {verdict}")))
    }
}

fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let version: usize = connection
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .map_err(|error| failed(&error))?;
    if version > MIGRATIONS.len() {
        return Err(StoreError::Foreign(format!(
            "it was written by a newer version (schema {version}, this one knows {})",
            MIGRATIONS.len()
        )));
    }
    for (step, statements) in MIGRATIONS.iter().enumerate().skip(version) {
        let transaction = connection.transaction().map_err(|error| failed(&error))?;
        transaction
            .execute_batch(statements)
            .and_then(|()| transaction.pragma_update(None, "user_version", step + 1))
            .and_then(|()| transaction.commit())
            .map_err(|error| failed(&error))?;
    }
    Ok(())
}

fn failed(error: &rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull | ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            StoreError::NoRoom(error.to_string())
        }
        _ => StoreError::Broken(error.to_string()),
    }
}

#[cfg(test)]
mod tests;
