//! `/api/smpp/accounts`: the applications that may bind over SMPP.

use axum::extract::Request;
use axum::http::{Extensions, StatusCode};
use axum::response::Response;
use ring::rand::{SecureRandom as _, SystemRandom};
use zajil_core::outcome::{Reason, Refusal};
use zajil_core::smpp::Account;
use zajil_core::smpp::password::Hashed;
use zajil_store::record::{decode_smpp_account, encode_smpp_account};
use zajil_store::shelf::{Change, Kind, Page, Record, Start};

use crate::audit::{self, Told};
use crate::dto::smpp_account::{AccountIn, AccountOut};
use crate::query::{self, Parameters};
use crate::router::{Api, Shared};
use crate::{body, error, json};

const KIND: &str = "SMPP account";

/// `GET /api/smpp/accounts`.
pub(crate) async fn list(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (parts, _) = request.into_parts();
    let parameters = Parameters::of(&parts)?;
    let page = api.store.shelf(Page {
        kind: Kind::SmppAccount,
        from: Start::After(0),
        offset: parameters.offset()?,
        limit: parameters.limit()?,
    });
    let records = page.await.map_err(error::from_store)?;
    let accounts: Vec<(u64, Account)> = records.iter().map(read).collect::<Result<_, _>>()?;
    let shown = accounts
        .iter()
        .map(|(id, account)| AccountOut::new(*id, account));
    json::data(StatusCode::OK, shown.collect::<Vec<_>>())
}

/// `POST /api/smpp/accounts`: 201; the name must be new.
pub(crate) async fn create(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (parts, payload) = request.into_parts();
    let payload = read_body(&api, payload).await?;
    let mut given = body::object::<AccountIn<'_>>(&payload)?;
    let password = given.take_password()?;
    let password = password.ok_or_else(|| Refusal::field("password", "is required"))?;
    let account = given.into_account(hashed(password).await?)?;
    let add = Change::Add {
        kind: Kind::SmppAccount,
        name: Some(account.system_id.to_string()),
        body: encode_smpp_account(&account),
    };
    let told = told("create", None, Some(&account));
    let added = change(&api, &parts.extensions, (add, told)).await?;
    answer(&added, StatusCode::CREATED)
}

/// `GET /api/smpp/accounts/{system_id}`; the id of the record does too.
pub(crate) async fn show(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (mut parts, _) = request.into_parts();
    let record = find(&api, &query::path(&mut parts).await?).await?;
    answer(&record, StatusCode::OK)
}

/// `PATCH /api/smpp/accounts/{system_id}`: what is absent stays. In force within a second for new
/// binds; sessions that are bound stay as they are.
pub(crate) async fn update(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (mut parts, payload) = request.into_parts();
    let key = query::path(&mut parts).await?;
    let payload = read_body(&api, payload).await?;
    let mut given = body::object::<AccountIn<'_>>(&payload)?;
    let password = given.take_password()?;
    let record = find(&api, &key).await?;
    let (id, old) = read(&record)?;
    let mut account = given.apply(old.clone())?;
    if let Some(password) = password {
        account.password = hashed(password).await?;
    }
    let set = Change::Set {
        kind: Kind::SmppAccount,
        id,
        base: Some(record.revision),
        body: encode_smpp_account(&account),
    };
    let told = told("update", Some(&old), Some(&account));
    let changed = change(&api, &parts.extensions, (set, told)).await?;
    answer(&changed, StatusCode::OK)
}

/// `DELETE /api/smpp/accounts/{system_id}`.
pub(crate) async fn remove(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (mut parts, _) = request.into_parts();
    let record = find(&api, &query::path(&mut parts).await?).await?;
    let remove = Change::Remove {
        kind: Kind::SmppAccount,
        id: record.id,
        base: None,
    };
    let (_, old) = read(&record)?;
    let told = told("remove", Some(&old), None);
    change(&api, &parts.extensions, (remove, told)).await?;
    Ok(json::removed())
}

/// By name, else by the id of the record.
async fn find(api: &Api, key: &str) -> Result<Record, Refusal> {
    let kind = Kind::SmppAccount;
    let named = api.store.shelf_named(kind, key.to_owned()).await;
    if let Some(record) = named.map_err(error::from_store)? {
        return Ok(record);
    }
    let unknown = || error::unknown(KIND, &query::shown(key));
    let id = query::number(key).ok_or_else(unknown)?;
    let record = api.store.shelf_record(kind, id).await;
    record.map_err(error::from_store)?.ok_or_else(unknown)
}

/// The change and its line in the audit log, in one transaction.
async fn change(
    api: &Api,
    extensions: &Extensions,
    (change, told): (Change, Told),
) -> Result<Record, Refusal> {
    let changes = vec![change, audit::entry(extensions, told)?];
    let changed = api.store.change_shelf(changes, api.now()).await;
    let record = changed.map_err(error::from_store)?.into_iter().next();
    record.ok_or_else(|| Refusal::new(Reason::Internal, "internal error"))
}

/// What the audit log says of a change: all but the password.
fn told(action: &'static str, before: Option<&Account>, after: Option<&Account>) -> Told {
    let shown = |account: Option<&Account>| {
        let account = account.map(|account| AccountOut::new(0, account));
        serde_json::to_value(account).unwrap_or_default()
    };
    Told {
        action,
        what: "smpp_account",
        id: before
            .or(after)
            .map(|account| account.system_id.to_string()),
        before: shown(before),
        after: shown(after),
    }
}

fn read(record: &Record) -> Result<(u64, Account), Refusal> {
    let account = decode_smpp_account(&record.body).map_err(error::from_store)?;
    Ok((record.id, account))
}

fn answer(record: &Record, status: StatusCode) -> Result<Response, Refusal> {
    let (id, account) = read(record)?;
    json::data(status, AccountOut::new(id, &account))
}

/// Takes some tens of milliseconds of a core, so it is not done where requests are served.
async fn hashed(password: String) -> Result<Hashed, Refusal> {
    let internal = || Refusal::new(Reason::Internal, "internal error");
    let mut salt = [0; 16];
    SystemRandom::new()
        .fill(&mut salt)
        .map_err(|_| internal())?;
    let hashing = tokio::task::spawn_blocking(move || Hashed::new(password.as_bytes(), salt));
    hashing.await.map_err(|_| internal())
}

async fn read_body(api: &Api, payload: axum::body::Body) -> Result<bytes::Bytes, Refusal> {
    body::read(payload, api.options.max_body_bytes, &api.options).await
}
