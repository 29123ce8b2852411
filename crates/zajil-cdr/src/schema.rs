//! The table `cdrs` of S10.1, once: its columns and indexes, and how each database spells them.
//!
//! The names are a contract: reports, billing jobs and dashboards read this table. Type names are
//! those of the specification; SQLite keeps them as text and applies their affinity. Times are UTC,
//! in milliseconds where the type can hold them.

use std::fmt::Write as _;

/// The version of the table that this program makes. Version 1 is S10.1.
pub const VERSION: i64 = 1;

/// The longest name or number, in characters.
pub const NAME_CHARACTERS: usize = 255;

/// A database's own way of writing SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite 3.
    Sqlite,
    /// PostgreSQL 13 or newer.
    Postgres,
    /// MySQL 8 or newer, MariaDB 10.5 or newer.
    MySql,
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A 64-bit integer.
    Big,
    /// A number or name of at most 255 characters.
    Name,
    /// One of a few words.
    Word,
    /// An instant.
    Time,
    /// A count, with the default 0.
    Count,
    /// A number that need not be there.
    Number,
    /// Yes or no, with the default no.
    Flag,
    /// A text of any length.
    Text,
}

/// A column that a row brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Whether it is `NOT NULL`.
    pub required: bool,
}

const fn required(name: &'static str, kind: Kind) -> Column {
    Column {
        name,
        kind,
        required: true,
    }
}

const fn optional(name: &'static str, kind: Kind) -> Column {
    Column {
        name,
        kind,
        required: false,
    }
}

/// The columns that a row brings, in the order of its parameters. `id` is the database's own.
pub const COLUMNS: [Column; 17] = [
    required("message_id", Kind::Big),
    required("calling_number", Kind::Name),
    required("called_number", Kind::Name),
    optional("source_smsc", Kind::Name),
    optional("dest_smsc", Kind::Name),
    optional("origin_node", Kind::Name),
    optional("destination_node", Kind::Name),
    required("submission_time", Kind::Time),
    optional("delivery_time", Kind::Time),
    optional("expiry_time", Kind::Time),
    required("status", Kind::Word),
    optional("delivery_attempts", Kind::Count),
    optional("message_parts", Kind::Number),
    optional("deadletter", Kind::Flag),
    optional("message_body", Kind::Text),
    required("inserted_at", Kind::Time),
    required("updated_at", Kind::Time),
];

/// The columns with an index `idx_cdrs_<column>`; the first one's is unique (D16).
pub const INDEXED: [&str; 6] = [
    "message_id",
    "calling_number",
    "called_number",
    "status",
    "submission_time",
    "dest_smsc",
];

impl Dialect {
    /// A type, as this database spells it, with its default.
    #[must_use]
    pub fn spell(self, kind: Kind) -> &'static str {
        match (kind, self) {
            (Kind::Big, _) => "BIGINT",
            (Kind::Name, _) => "VARCHAR(255)",
            (Kind::Word, _) => "VARCHAR(50)",
            (Kind::Time, Self::Sqlite) => "DATETIME",
            (Kind::Time, Self::MySql) => "DATETIME(3)",
            (Kind::Time, Self::Postgres) => "TIMESTAMP(3)",
            (Kind::Count, _) => "INT DEFAULT 0",
            (Kind::Number, _) => "INT",
            (Kind::Flag, _) => "BOOLEAN DEFAULT FALSE",
            (Kind::Text, _) => "TEXT",
        }
    }

    /// The `n`th parameter of a statement, from 1.
    #[must_use]
    pub fn parameter(self, n: usize) -> String {
        match self {
            Self::Sqlite => format!("?{n}"),
            Self::Postgres => format!("${n}"),
            Self::MySql => "?".to_owned(),
        }
    }

    /// Makes the table with its indexes: one statement for MySQL, which cannot roll them back.
    #[must_use]
    pub fn create_table(self) -> String {
        let id = match self {
            Self::Sqlite => "INTEGER PRIMARY KEY AUTOINCREMENT",
            Self::Postgres => "BIGSERIAL PRIMARY KEY",
            Self::MySql => "BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY",
        };
        let mut lines = vec![format!("  id {id}")];
        lines.extend(
            COLUMNS
                .iter()
                .map(|column| format!("  {}", self.column(column))),
        );
        if self == Self::MySql {
            lines.extend(INDEXED.iter().enumerate().map(|(place, column)| {
                let unique = if place == 0 { "UNIQUE " } else { "" };
                format!("  {unique}KEY idx_cdrs_{column} ({column})")
            }));
        }
        let mut text = format!("CREATE TABLE cdrs (\n{}\n)", lines.join(",\n"));
        if self == Self::MySql {
            text.push_str(" ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin");
            return text;
        }
        for (place, column) in INDEXED.iter().enumerate() {
            let unique = if place == 0 { "UNIQUE " } else { "" };
            // A failed write leaves the text shorter, which no database would take for complete.
            let _written = write!(text, ";\n{}", self.create_index(unique, column));
        }
        text
    }

    /// The definition of a column.
    #[must_use]
    pub fn column(self, column: &Column) -> String {
        let null = if column.required { " NOT NULL" } else { "" };
        format!("{} {}{null}", column.name, self.spell(column.kind))
    }

    /// Makes the index of a column; `unique` is `UNIQUE ` or nothing.
    #[must_use]
    pub fn create_index(self, unique: &str, column: &str) -> String {
        // The newest rows of a number are looked for by `id`. SQLite and MySQL keep the primary
        // key in every index by themselves.
        let by_id = self == Self::Postgres
            && ["calling_number", "called_number", "status", "dest_smsc"].contains(&column);
        let columns = if by_id {
            format!("{column}, id")
        } else {
            column.to_owned()
        };
        format!("CREATE {unique}INDEX idx_cdrs_{column} ON cdrs ({columns})")
    }
}

/// The names of the columns that a row brings, with commas.
#[must_use]
pub fn column_list() -> String {
    COLUMNS.map(|column| column.name).join(", ")
}

/// Inserts one row; a row whose `message_id` is there already is left as it is (D16).
#[must_use]
pub fn sqlite_insert() -> String {
    let parameters: Vec<String> = (1..=COLUMNS.len())
        .map(|n| Dialect::Sqlite.parameter(n))
        .collect();
    format!(
        "INSERT INTO cdrs ({}) VALUES ({}) ON CONFLICT(message_id) DO NOTHING",
        column_list(),
        parameters.join(", "),
    )
}
