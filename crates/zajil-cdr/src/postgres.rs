//! CDRs into PostgreSQL, 13 or newer.

use tokio_postgres::SimpleQueryMessage;
use tokio_postgres::types::ToSql;
use zajil_core::cdr::Cdr;
use zajil_core::clock::Timestamp;
use zajil_core::port::CdrPlace;

use crate::adopt::Guard;
use crate::database::Speak;
use crate::filter::{self, Hints, Page, Query, Value};
use crate::report::Rows;
use crate::schema::Dialect;
use crate::sink::{Answer, Fault};

mod connect;
mod migrate;
mod row;

pub(crate) use connect::Connector;
use connect::{Connection, fault};

impl Speak for Connector {
    const DIALECT: Dialect = Dialect::Postgres;

    fn migrate(connection: &mut Connection) -> Answer<'_, Guard> {
        Box::pin(migrate::run(connection.client_mut()))
    }

    fn insert<'a>(
        connection: &'a mut Connection,
        guard: Guard,
        rows: &'a [Cdr],
        now: Timestamp,
    ) -> Answer<'a, ()> {
        Box::pin(row::insert(connection, guard, rows, now))
    }

    fn search<'a>(
        connection: &'a mut Connection,
        page: Page<'a>,
    ) -> Answer<'a, Vec<(CdrPlace, Cdr)>> {
        Box::pin(async move {
            let query = filter::query(Self::DIALECT, page, Hints::Given);
            let parameters = parameters(&query.values);
            let rows = connection
                .client()
                .query(&query.sql, &references(&parameters))
                .await;
            let rows = rows.map_err(fault)?;
            let read = rows.iter().map(row::read).collect::<Result<_, _>>();
            read.map_err(|error| Fault::Data(zajil_telemetry::chain(&error)))
        })
    }

    fn execute(connection: &mut Connection, query: Query) -> Answer<'_, u64> {
        Box::pin(async move {
            let parameters = parameters(&query.values);
            let count = connection
                .client()
                .execute(&query.sql, &references(&parameters))
                .await;
            count.map_err(fault)
        })
    }

    fn report<'a>(connection: &'a mut Connection, sql: &'a str) -> Answer<'a, Rows> {
        Box::pin(async move {
            let begun = connection.client_mut().build_transaction().read_only(true);
            let transaction = begun.start().await.map_err(fault)?;
            let told = transaction.simple_query(sql).await.map_err(fault)?;
            transaction.commit().await.map_err(fault)?;
            Ok(as_text(&told))
        })
    }
}

fn parameters(values: &[Value]) -> Vec<Box<dyn ToSql + Sync + Send>> {
    let parameter = |value: &Value| -> Box<dyn ToSql + Sync + Send> {
        match value {
            Value::Int(number) => Box::new(*number),
            Value::Text(text) => Box::new(row::storable(text).into_owned()),
            Value::Time(at) => Box::new(row::Instant(*at)),
        }
    };
    values.iter().map(parameter).collect()
}

fn references(parameters: &[Box<dyn ToSql + Sync + Send>]) -> Vec<&(dyn ToSql + Sync)> {
    parameters.iter().map(|value| &**value as _).collect()
}

fn as_text(told: &[SimpleQueryMessage]) -> Rows {
    let mut answer = Rows::default();
    for message in told {
        match message {
            SimpleQueryMessage::RowDescription(columns) => {
                let names = columns.iter().map(|column| column.name().to_owned());
                answer.columns = names.collect();
            }
            SimpleQueryMessage::Row(row) => {
                let text = |place| row.get(place).map(str::to_owned);
                answer.rows.push((0..row.len()).map(text).collect());
            }
            _ => {}
        }
    }
    answer
}
