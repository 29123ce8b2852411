//! A data directory that is open for nothing but moving: read row by row, or filled.

use std::fs::File;
use std::path::{Path, PathBuf};

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension, ToSql, params};
use zajil_store::transfer::{Mark, Port, Row, Table, Value};
use zajil_store::{Error, Reply, record};

use crate::error::{Done, Fault, OpenError};
use crate::{inspect, open, schema};

mod read;
mod write;

/// What the pages of a move take of memory, in KiB.
const CACHE_KIB: u32 = 65_536;

/// A data directory that no server has open.
#[derive(Debug)]
pub struct EmbeddedPort {
    db: Connection,
    directory: PathBuf,
    /// Whether the places of what has ended are at hand, by message.
    placed: bool,
    _lock: File,
}

impl EmbeddedPort {
    /// Opens a directory that has data of this version's form; changes nothing.
    ///
    /// # Errors
    /// [`OpenError`]: in use, not there, or of another form.
    pub fn existing(directory: &Path) -> Result<Self, OpenError> {
        let file = directory.join(inspect::DATABASE);
        // Before the lock: a directory that is not there is not made.
        is_current(&file)?;
        let lock = inspect::hold(directory)?;
        Self::open(directory, lock)
    }

    /// Opens a directory to be filled, making it when it is not there.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn target(directory: &Path) -> Result<Self, OpenError> {
        std::fs::create_dir_all(directory)?;
        let lock = inspect::hold(directory)?;
        if Self::is_made(directory)? {
            // Data that are there are never brought forward: nobody may want them to be.
            is_current(&directory.join(inspect::DATABASE))?;
        }
        Self::open(directory, lock)
    }

    /// Whether there are tables in a directory; a file that was only begun has none.
    ///
    /// # Errors
    /// [`OpenError`]: the file is no database, or another program's.
    pub fn is_made(directory: &Path) -> Result<bool, OpenError> {
        let file = directory.join(inspect::DATABASE);
        Ok(file.try_exists()? && schema::check(&inspect::read_only(&file)?)? > 0)
    }

    /// The mark of a directory, whoever has it open; none without a mark, tables or a directory.
    ///
    /// # Errors
    /// [`OpenError`]: as [`Self::existing`], but for being in use.
    pub fn mark_of(directory: &Path) -> Result<Option<Mark>, OpenError> {
        if !Self::is_made(directory)? {
            return Ok(None);
        }
        let db = is_current(&directory.join(inspect::DATABASE))?;
        mark(&db).map_err(|fault| OpenError::Mark(fault.into_error()))
    }

    fn open(directory: &Path, lock: File) -> Result<Self, OpenError> {
        let mut db = Connection::open(directory.join(inspect::DATABASE))?;
        db.set_prepared_statement_cache_capacity(64);
        open::fresh(&db)?;
        schema::migrate(&mut db)?;
        open::settle(&db, CACHE_KIB)?;
        // What is kept aside grows with the data.
        db.pragma_update(None, "temp_store", "FILE")?;
        Ok(Self {
            db,
            directory: directory.canonicalize()?,
            placed: false,
            _lock: lock,
        })
    }

    fn read(&mut self, table: Table, after: &Row, limit: u32) -> Done<Vec<Row>> {
        if table == Table::Message && !self.placed {
            read::place_all(&self.db)?;
            self.placed = true;
        }
        read::rows(&self.db, table, after, limit)
    }

    fn write(&mut self, table: Table, rows: &[Row], mark: &Mark) -> Done<()> {
        let tx = self.db.transaction()?;
        write::rows(&tx, table, rows)?;
        set_mark(&tx, Some(mark))?;
        tx.commit()?;
        self.placed = false;
        Ok(())
    }
}

impl Port for EmbeddedPort {
    fn place(&self) -> String {
        self.directory.display().to_string()
    }

    fn mark(&mut self) -> Reply<'_, Option<Mark>> {
        ready(mark(&self.db))
    }

    fn set_mark(&mut self, mark: Option<Mark>) -> Reply<'_, ()> {
        ready(set_mark(&self.db, mark.as_ref()))
    }

    fn rows(&mut self, table: Table, after: Row, limit: u32) -> Reply<'_, Vec<Row>> {
        ready(self.read(table, &after, limit))
    }

    fn put(&mut self, table: Table, rows: Vec<Row>, mark: Mark) -> Reply<'_, ()> {
        ready(self.write(table, &rows, &mark))
    }
}

/// Opens a database for reading when it has this version's form.
fn is_current(file: &Path) -> Result<Connection, OpenError> {
    let db = inspect::read_only(file)?;
    let (found, known) = (schema::check(&db)?, schema::KNOWN);
    match usize::try_from(found) == Ok(known) {
        true => Ok(db),
        false => Err(OpenError::Older { found, known }),
    }
}

fn ready<'a, T: Send + 'a>(answer: Done<T>) -> Reply<'a, T> {
    Box::pin(std::future::ready(answer.map_err(Fault::into_error)))
}

/// The mark of a move, if the data are part of one.
pub(crate) fn mark(db: &Connection) -> Done<Option<Mark>> {
    let text: Option<String> = db
        .query_row("SELECT mark FROM transfer", [], |row| row.get(0))
        .optional()?;
    Ok(text.map(|text| record::decode_mark(&text)).transpose()?)
}

fn set_mark(db: &Connection, mark: Option<&Mark>) -> Done<()> {
    let sql = "INSERT INTO transfer VALUES (1, ?1) \
               ON CONFLICT (one) DO UPDATE SET mark = excluded.mark";
    match mark {
        Some(mark) => db.execute(sql, [record::encode_mark(mark)])?,
        None => db.execute("DELETE FROM transfer", [])?,
    };
    Ok(())
}

/// Refuses data that are part of a move.
pub(crate) fn keep_out(db: &Connection) -> Result<(), OpenError> {
    let mark = mark(db).map_err(|fault| OpenError::Mark(fault.into_error()))?;
    match mark.and_then(|mark| mark.keeps_out()) {
        Some(why) => Err(OpenError::Moved(why)),
        None => Ok(()),
    }
}

/// The name of a table whose columns are those that are carried.
const fn plain(table: Table) -> &'static str {
    match table {
        Table::Key => "dedupe",
        table => table.name(),
    }
}

/// A value as SQLite takes it.
struct Bound<'a>(&'a Value);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Value::Null => ValueRef::Null,
            Value::Int(number) => ValueRef::Integer(*number),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Bytes(octets) => ValueRef::Blob(octets),
        }))
    }
}

fn value(column: ValueRef<'_>) -> Done<Value> {
    Ok(match column {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Int(number),
        ValueRef::Blob(octets) => Value::Bytes(octets.to_vec()),
        ValueRef::Text(text) => {
            let text = String::from_utf8(text.to_vec());
            Value::Text(text.map_err(|_| Error::Damaged("a text that is no UTF-8".into()))?)
        }
        ValueRef::Real(_) => return Err(Error::Damaged("a number that is not whole".into()).into()),
    })
}

/// How far a counter's row in `sqlite_sequence` has come.
fn sequence(db: &Connection, table: &str) -> Done<i64> {
    let sql = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = ?1";
    Ok(db.query_row(sql, params![table], |row| row.get(0))?)
}
