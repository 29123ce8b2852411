//! CDRs into MySQL, 8 or newer, or MariaDB, 10.5 or newer.

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Error, Params, Row, TxOpts};
use zajil_core::cdr::Cdr;
use zajil_core::clock::Timestamp;
use zajil_core::port::CdrPlace;

use crate::adopt::Guard;
use crate::database::Speak;
use crate::filter::{self, Hints, Page, Query};
use crate::report::Rows;
use crate::schema::Dialect;
use crate::sink::{Answer, Fault};

mod connect;
mod migrate;
mod row;

pub(crate) use connect::Connector;
use connect::fault;

/// `ER_KEY_DOES_NOT_EXIST`: an adopted table lacks the index that a hint names.
const NO_SUCH_KEY: u16 = 1176;

impl Speak for Connector {
    const DIALECT: Dialect = Dialect::MySql;

    fn migrate(connection: &mut Conn) -> Answer<'_, Guard> {
        Box::pin(migrate::run(connection))
    }

    fn insert<'a>(
        connection: &'a mut Conn,
        guard: Guard,
        rows: &'a [Cdr],
        now: Timestamp,
    ) -> Answer<'a, ()> {
        Box::pin(row::insert(connection, guard, rows, now))
    }

    fn search<'a>(connection: &'a mut Conn, page: Page<'a>) -> Answer<'a, Vec<(CdrPlace, Cdr)>> {
        Box::pin(async move {
            let hinted = filter::query(Self::DIALECT, page, Hints::Given);
            let rows = match ask(connection, hinted).await {
                Err(Error::Server(told)) if told.code == NO_SUCH_KEY => {
                    let plain = filter::query(Self::DIALECT, page, Hints::Left);
                    ask(connection, plain).await
                }
                asked => asked,
            };
            let rows = rows.map_err(fault)?;
            let read: Result<_, String> = rows.iter().map(row::read).collect();
            read.map_err(Fault::Data)
        })
    }

    fn execute(connection: &mut Conn, query: Query) -> Answer<'_, u64> {
        Box::pin(async move {
            ask(connection, query).await.map_err(fault)?;
            Ok(connection.affected_rows())
        })
    }

    fn report<'a>(connection: &'a mut Conn, sql: &'a str) -> Answer<'a, Rows> {
        Box::pin(async move {
            let mut options = TxOpts::default();
            options.with_readonly(true);
            let begun = connection.start_transaction(options).await;
            let mut transaction = begun.map_err(fault)?;
            let mut told = transaction.query_iter(sql).await.map_err(fault)?;
            let columns = told.columns_ref().iter();
            let mut answer = Rows {
                columns: columns.map(|column| column.name_str().into()).collect(),
                rows: Vec::new(),
            };
            let rows: Vec<Row> = told.collect().await.map_err(fault)?;
            drop(told);
            answer.rows = rows.into_iter().map(row::as_text).collect();
            transaction.commit().await.map_err(fault)?;
            Ok(answer)
        })
    }
}

async fn ask(connection: &mut Conn, query: Query) -> Result<Vec<Row>, Error> {
    let parameters = query.values.iter().map(row::value).collect();
    connection
        .exec(query.sql, Params::Positional(parameters))
        .await
}
