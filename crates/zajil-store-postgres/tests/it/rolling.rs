//! A rolling upgrade: this version works on while the next one brings the tables to its form.
//!
//! The next version is not there yet; what it may do to the tables is (ADR 15): add tables, and
//! columns with defaults. Here every table gets a column, under load.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use zajil_core::frontend::FrontendName;
use zajil_core::id::MessageId;
use zajil_core::lifecycle::Report;
use zajil_core::offer::Asker;
use zajil_database::postgres::Dial;
use zajil_store::Store as _;
use zajil_store::cluster::Cluster as _;
use zajil_store::contract::{OfferAsk, Retention};
use zajil_store_postgres::{OpenError, Options, PostgresStore};
use zajil_testkit::database::DatabaseServer;

use crate::make::{at, draft, id, scene};
use crate::nodes::called;
use crate::place::{Schema, database};

/// What it looks like in the next form.
const EXPAND: &str = "DO $$ DECLARE t regclass; BEGIN \
     FOR t IN SELECT oid FROM pg_class WHERE relnamespace = 'SCHEMA'::regnamespace \
       AND relkind IN ('r', 'p') AND NOT relispartition LOOP \
       EXECUTE format('ALTER TABLE %s ADD COLUMN later bigint NOT NULL DEFAULT 7', t); \
     END LOOP; END $$; \
     UPDATE SCHEMA.form SET version = version + 1";

/// A whole life: submitted, leased, delivered, looked up.
async fn live(store: &PostgresStore, number: u64) {
    store
        .accept(vec![draft(number, "gw", 0)], at(0))
        .await
        .unwrap();
    let ask = OfferAsk {
        asker: Asker {
            name: FrontendName::parse("gw").unwrap(),
            include_unrouted: true,
        },
        limit: 1,
        now: at(5),
    };
    let leased = store.lease(ask, at(60)).await.unwrap();
    let [message] = leased.as_slice() else {
        panic!("{} leased", leased.len());
    };
    assert_eq!(message.id, id(number));
    let delivered = Report::Delivered { by: None, at: None };
    let reported = store.report(vec![(id(number), delivered)], scene(6)).await;
    assert!(reported.unwrap()[0].is_ok());
    let found = store.message(id(number)).await.unwrap().unwrap();
    assert_eq!(found.status().as_str(), "delivered");
}

/// A node that works.
struct Load {
    store: Arc<PostgresStore>,
    lived: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    worker: JoinSet<()>,
}

impl Load {
    async fn start(schema: &Schema) -> Self {
        let mut load = Self {
            store: Arc::new(schema.node().await),
            lived: Arc::default(),
            stop: Arc::default(),
            worker: JoinSet::new(),
        };
        let (store, lived) = (Arc::clone(&load.store), Arc::clone(&load.lived));
        let stop = Arc::clone(&load.stop);
        load.worker.spawn(async move {
            while !stop.load(Ordering::Acquire) {
                let number = lived.load(Ordering::Acquire) + 1;
                live(&store, number).await;
                lived.store(number, Ordering::Release);
            }
        });
        load
    }

    /// Until so many more have lived.
    async fn until(&self, more: u64) {
        let before = self.lived.load(Ordering::Acquire);
        let mut tick = tokio::time::interval(Duration::from_millis(5));
        for _ in 0..12_000 {
            tick.tick().await;
            if self.lived.load(Ordering::Acquire) >= before + more {
                return;
            }
        }
        panic!("it does not go on");
    }

    async fn stop(self) {
        self.stop.store(true, Ordering::Release);
        self.worker.join_all().await;
        let figures = self.store.figures().await.unwrap();
        assert_eq!(figures.pending, 0);
        assert_eq!(figures.messages, self.lived.load(Ordering::Acquire));
    }
}

/// Until the database says so.
async fn until_told(database: &DatabaseServer, sql: &str) {
    let mut tick = tokio::time::interval(Duration::from_millis(20));
    for _ in 0..3_000 {
        tick.tick().await;
        if database.sql(sql).trim() == "t" {
            return;
        }
    }
    panic!("not so: {sql}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn adr15_a_node_works_on_while_the_next_version_brings_the_tables_forward() {
    let Some((database, server)) = database().await else {
        return;
    };
    let schema = Schema::new(&server);
    let load = Load::start(&schema).await;
    load.until(20).await;
    database.sql(&EXPAND.replace("SCHEMA", &schema.name));
    load.until(50).await;
    load.stop().await;
    // Rows of this version have what the next one expects of them.
    let told = format!("SELECT DISTINCT later FROM {}.fin", schema.name);
    assert_eq!(database.sql(&told).trim(), "7");
    // Only a start looks at the form: a node that is brought back to this version is refused.
    let options = Options {
        schema: schema.name.clone(),
        ..Options::default()
    };
    let refused = PostgresStore::open(&server, options).await.unwrap_err();
    let OpenError::Database(_, why) = &refused else {
        panic!("{refused}");
    };
    assert!(why.to_string().contains("newer version"), "{why}");
}

/// The index of endings is built on tables that are full and in use, for longer than a node waits
/// for any other answer, and two nodes of this version start meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn adr15_an_index_is_built_while_messages_end_and_days_are_made() {
    let Some((database, mut server)) = database().await else {
        return;
    };
    let schema = Schema::new(&server);
    let load = Load::start(&schema).await;
    let name = &schema.name;
    load.until(20).await;
    // Form 4 is this one without five indexes, a column, and a table that this version looks into.
    database.sql(&format!(
        "DROP INDEX {name}.run_due; DROP INDEX {name}.run_turn; \
         DROP INDEX {name}.fin_seq; DROP INDEX {name}.q_sought; \
         ALTER TABLE {name}.q DROP COLUMN place; \
         UPDATE {name}.form SET version = 4; \
         INSERT INTO {name}.fin \
         SELECT n, 'delivered', 0, 'n1', NULL, 0, NULL, 0, true, 0, 0, '[]', 0 \
         FROM generate_series(1000000, 1050000) AS n"
    ));
    // As a vacuum does, this lets everybody write and no index be built.
    let vacuum = Dial::new(&server).unwrap().connect(None).await.unwrap();
    let day = format!("SELECT tableoid::regclass FROM {name}.fin WHERE id = 1");
    let day = database.sql(&day).trim().to_owned();
    let hold = format!("BEGIN; LOCK TABLE {day} IN SHARE UPDATE EXCLUSIVE MODE");
    vacuum.client.batch_execute(&hold).await.unwrap();
    server.statement_timeout = Duration::from_millis(500);
    let mut starting = JoinSet::new();
    for _ in 0..2 {
        let (server, name) = (server.clone(), name.clone());
        starting.spawn(async move {
            let options = Options {
                schema: name,
                ..Options::default()
            };
            drop(PostgresStore::open(&server, options).await.unwrap());
        });
    }
    let waits = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' \
         AND query LIKE 'CREATE INDEX%' AND clock_timestamp() - query_start > '3 seconds')";
    until_told(&database, waits).await;
    load.until(50).await;
    let later = MessageId::floor_of(at(9 * 86_400)).get() + 1;
    let draft = draft(later, "later", 9 * 86_400);
    let accepted = load.store.accept(vec![draft], at(9 * 86_400)).await;
    accepted.unwrap();
    load.store
        .remove(id(later), scene(6))
        .await
        .unwrap()
        .unwrap();
    vacuum.client.batch_execute("COMMIT").await.unwrap();
    while let Some(started) = starting.join_next().await {
        started.unwrap();
    }
    load.until(20).await;
    load.stop().await;
    let form = database.sql(&format!("SELECT version FROM {name}.form"));
    assert_eq!(form.trim(), "9");
    let days = database.sql(&format!(
        "SELECT count(*) > 1 AND count(*) = (SELECT count(*) FROM pg_inherits i JOIN pg_index x \
         ON x.indexrelid = i.inhrelid AND x.indisvalid \
         WHERE i.inhparent = '{name}.fin_seq'::regclass) \
         FROM pg_inherits WHERE inhparent = '{name}.fin'::regclass"
    ));
    assert_eq!(days.trim(), "t", "every day has it");
}

/// What makes this version's tables those of a former form: what was added since goes, and what was
/// dropped since is there.
const BACK: [(u32, &str); 8] = [
    // The table itself stays: what works on meanwhile is of this version, and looks into it.
    (8, "DROP INDEX run_due; DROP INDEX run_turn"),
    (7, "DROP INDEX q_place"),
    (6, "ALTER TABLE q DROP COLUMN place"),
    (5, "DROP INDEX q_sought; CREATE INDEX q_turn ON q (turn)"),
    (4, "DROP INDEX fin_seq"),
    (3, "DROP TABLE awaited"),
    (2, "DROP TABLE transfer"),
    (1, "DROP TABLE receipt; DROP SEQUENCE receipt_seq"),
];

/// All that the database knows of the tables: columns, indexes, settings; of one day of each.
fn shape(database: &DatabaseServer, schema: &str) -> String {
    let shown = "SELECT string_agg(line, E'\\n' ORDER BY line) FROM ( \
         SELECT format('%s.%s %s %s %s', c.relname, a.attname, \
           format_type(a.atttypid, a.atttypmod), a.attnotnull, \
           pg_get_expr(d.adbin, d.adrelid)) AS line \
         FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 \
           AND NOT a.attisdropped \
         LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum \
         WHERE c.relnamespace = 'SCHEMA'::regnamespace AND c.relkind IN ('r', 'p', 'S') \
           AND NOT c.relispartition \
         UNION ALL SELECT format('%s %s', indexname, indexdef) FROM pg_indexes i \
         JOIN pg_class c ON c.oid = format('SCHEMA.%s', i.tablename)::regclass \
         WHERE schemaname = 'SCHEMA' AND NOT c.relispartition \
         UNION ALL SELECT format('%s %s', relname, reloptions) FROM pg_class \
         WHERE relnamespace = 'SCHEMA'::regnamespace AND reloptions IS NOT NULL) AS lines";
    database
        .sql(&shown.replace("SCHEMA", schema))
        .replace(schema, "SCHEMA")
}

/// A node of this version brings the tables of every former form on, while one that is there
/// already works; afterwards they are what a fresh schema is.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn adr15_tables_of_every_former_form_become_those_of_this_one_under_load() {
    let Some((database, server)) = database().await else {
        return;
    };
    let fresh = Schema::new(&server);
    drop(fresh.node().await);
    let wanted = shape(&database, &fresh.name);
    assert!(
        wanted.contains("q_sought") && !wanted.contains("q_turn") && wanted.contains("receipt_due"),
        "{wanted}"
    );
    for reached in 1..=8 {
        let schema = Schema::new(&server);
        let load = Load::start(&schema).await;
        load.store.join(called("former")).await.unwrap();
        load.until(10).await;
        let mut sql = format!("SET search_path = {};", schema.name);
        for (form, back) in BACK.iter().filter(|(form, _)| *form >= reached) {
            sql += &format!("{back}; UPDATE form SET version = {form};");
        }
        database.sql(&sql);
        assert_ne!(shape(&database, &schema.name), wanted, "form {reached}");
        load.until(10).await;
        let newer = schema.node().await;
        load.until(10).await;
        let with_both = shape(&database, &schema.name);
        let needed = reached <= 5;
        assert_eq!(
            with_both.contains("q_turn"),
            needed,
            "those before form 6 do"
        );
        load.store.leave().await.unwrap();
        load.stop().await;
        drop(schema.node().await);
        assert_eq!(shape(&database, &schema.name), wanted, "form {reached}");
        live(&newer, 1_000_000).await;
    }
}

/// Until every node knows of runs, messages get rows that all of them see.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn adr26_nothing_stands_in_a_run_while_a_node_of_a_former_version_is_there() {
    let Some((database, server)) = database().await else {
        return;
    };
    let schema = Schema::of_runs(&server);
    let name = &schema.name;
    let former = schema.node().await;
    former.join(called("former")).await.unwrap();
    database.sql(&format!(
        "DROP TABLE {name}.run; UPDATE {name}.form SET version = 8; \
         UPDATE {name}.meta SET value = 8 WHERE name LIKE 'form of %'"
    ));
    let newer = schema.node().await;
    newer.join(called("newer")).await.unwrap();
    let count =
        format!("SELECT (SELECT count(*) FROM {name}.q), (SELECT count(*) FROM {name}.run)");
    let counts = || database.sql(&count).trim().to_owned();
    let accept = async |number| {
        let stored = newer.accept(vec![draft(number, "gw", 0)], at(0)).await;
        stored.unwrap();
        newer.beat().await.unwrap();
    };
    accept(1).await;
    assert_eq!(counts(), "1|0");
    newer.beat().await.unwrap();
    accept(2).await;
    assert_eq!(counts(), "2|0", "it is still there");
    former.leave().await.unwrap();
    newer.beat().await.unwrap();
    accept(3).await;
    assert_eq!(counts(), "2|1");
    let ask = OfferAsk {
        asker: Asker {
            name: FrontendName::parse("gw").unwrap(),
            include_unrouted: false,
        },
        limit: 10,
        now: at(5),
    };
    let leased = newer.lease(ask, at(60)).await.unwrap();
    let numbers: Vec<u64> = leased.iter().map(|message| message.id.get()).collect();
    assert_eq!(numbers, [1, 2, 3]);
}

/// A cluster is never without nodes, and none of the former version is left in the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn adr15_what_only_a_former_version_used_goes_once_every_node_was_replaced_one_by_one() {
    let Some((database, server)) = database().await else {
        return;
    };
    let schema = Schema::new(&server);
    let (one, other) = (schema.node().await, schema.node().await);
    one.join(called("one")).await.unwrap();
    other.join(called("other")).await.unwrap();
    let name = &schema.name;
    // Both are of a former version: they have their index, and write nothing down.
    database.sql(&format!(
        "CREATE INDEX q_turn ON {name}.q (turn); DELETE FROM {name}.meta WHERE name LIKE 'form%'"
    ));
    let there = format!("SELECT to_regclass('{name}.q_turn') IS NOT NULL");
    let keep = Retention {
        messages: Duration::from_secs(86_400),
        events: Duration::from_secs(86_400),
        frontends: Duration::from_secs(86_400),
    };
    let purge = async |node: &PostgresStore| node.purge(keep, at(0), 10).await.unwrap();
    purge(&one).await;
    // The first is replaced; what was killed left its row.
    drop(one);
    let newer = schema.node().await;
    newer.join(called("one")).await.unwrap();
    purge(&newer).await;
    assert_eq!(database.sql(&there).trim(), "t", "the other one needs it");
    drop(other);
    let last = schema.node().await;
    assert_eq!(database.sql(&there).trim(), "t", "it was there just now");
    last.join(called("other")).await.unwrap();
    purge(&newer).await;
    assert_eq!(database.sql(&there).trim(), "f");
    purge(&last).await;
    last.close().await.unwrap();
    let noted = format!("SELECT count(*) FROM {name}.meta WHERE name LIKE 'form%'");
    assert_eq!(
        database.sql(&noted).trim(),
        "1",
        "what has gone is forgotten"
    );
}
