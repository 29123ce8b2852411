//! `/api/smpp/accounts` and `/api/smpp/carriers`: the applications that may bind over SMPP, and the
//! message centres that we bind to. The same pages over both.

use std::future::Future;

use axum::extract::Request;
use axum::http::{Extensions, StatusCode};
use axum::response::Response;
use ring::rand::{SecureRandom as _, SystemRandom};
use serde::Serialize;
use zajil_core::frontend::FrontendName;
use zajil_core::outcome::{Reason, Refusal};
use zajil_core::port::CarrierState;
use zajil_core::smpp::Account;
use zajil_core::smpp::carrier::Carrier;
use zajil_core::smpp::password::Hashed;
use zajil_store::record::{
    decode_smpp_account, decode_smpp_carrier, encode_smpp_account, encode_smpp_carrier,
};
use zajil_store::shelf::{Change, Kind, Page, Record, Start};

use crate::audit::{self, Told};
use crate::dto::smpp_account::{AccountIn, AccountOut};
use crate::dto::smpp_carrier::{CarrierIn, CarrierOut};
use crate::query::{self, Parameters};
use crate::router::{Api, Shared};
use crate::{body, error, json};

/// Whom we speak SMPP with, by name.
pub(crate) trait Party: Clone + Send + Sync + Sized + 'static {
    /// Where they lie.
    const KIND: Kind;
    /// What one is called in a refusal.
    const ENTRY: &'static str;
    /// What one is called in the audit log.
    const AUDIT: &'static str;
    /// How one is shown: without a password.
    type Shown<'a>: Serialize;

    /// A new one of a request.
    fn create(payload: &[u8]) -> impl Future<Output = Result<Self, Refusal>> + Send;
    /// This one after a request; what is absent there stays.
    fn apply(self, payload: &[u8]) -> impl Future<Output = Result<Self, Refusal>> + Send;
    /// Its name.
    fn name(&self) -> &FrontendName;
    /// As it is shown; with how it is doing, where `api` is there to ask.
    fn shown(&self, id: u64, api: Option<&Api>) -> Self::Shown<'_>;
    /// As it lies on the shelf.
    fn encode(&self) -> String;
    /// Reads what lies on the shelf.
    fn decode(body: &str) -> Result<Self, zajil_store::Error>;
}

impl Party for Account {
    const KIND: Kind = Kind::SmppAccount;
    const ENTRY: &'static str = "SMPP account";
    const AUDIT: &'static str = "smpp_account";
    type Shown<'a> = AccountOut<'a>;

    async fn create(payload: &[u8]) -> Result<Self, Refusal> {
        let mut given = body::object::<AccountIn<'_>>(payload)?;
        let password = given.take_password()?;
        let password = password.ok_or_else(|| Refusal::field("password", "is required"))?;
        given.into_account(hashed(password).await?)
    }

    async fn apply(self, payload: &[u8]) -> Result<Self, Refusal> {
        let mut given = body::object::<AccountIn<'_>>(payload)?;
        let password = given.take_password()?;
        let mut account = given.apply(self)?;
        if let Some(password) = password {
            account.password = hashed(password).await?;
        }
        Ok(account)
    }

    fn name(&self) -> &FrontendName {
        &self.system_id
    }

    fn shown(&self, id: u64, _: Option<&Api>) -> AccountOut<'_> {
        AccountOut::new(id, self)
    }

    fn encode(&self) -> String {
        encode_smpp_account(self)
    }

    fn decode(body: &str) -> Result<Self, zajil_store::Error> {
        decode_smpp_account(body)
    }
}

impl Party for Carrier {
    const KIND: Kind = Kind::SmppCarrier;
    const ENTRY: &'static str = "SMPP carrier";
    const AUDIT: &'static str = "smpp_carrier";
    type Shown<'a> = CarrierOut<'a>;

    async fn create(payload: &[u8]) -> Result<Self, Refusal> {
        body::object::<CarrierIn<'_>>(payload)?.into_carrier()
    }

    async fn apply(self, payload: &[u8]) -> Result<Self, Refusal> {
        body::object::<CarrierIn<'_>>(payload)?.apply(self)
    }

    fn name(&self) -> &FrontendName {
        &self.name
    }

    fn shown(&self, id: u64, api: Option<&Api>) -> CarrierOut<'_> {
        let state = api.map(|api| match &api.carriers {
            Some(carriers) => carriers.state(&self.name),
            None => CarrierState::default(),
        });
        CarrierOut::new(id, self, state)
    }

    fn encode(&self) -> String {
        encode_smpp_carrier(self)
    }

    fn decode(body: &str) -> Result<Self, zajil_store::Error> {
        decode_smpp_carrier(body)
    }
}

/// `GET /api/smpp/…`.
pub(crate) async fn list<T: Party>(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (parts, _) = request.into_parts();
    let parameters = Parameters::of(&parts)?;
    let page = api.store.shelf(Page {
        kind: T::KIND,
        from: Start::After(0),
        offset: parameters.offset()?,
        limit: parameters.limit()?,
    });
    let records = page.await.map_err(error::from_store)?;
    let all: Vec<(u64, T)> = records.iter().map(read).collect::<Result<_, _>>()?;
    let shown = all.iter().map(|(id, party)| party.shown(*id, Some(&*api)));
    json::data(StatusCode::OK, shown.collect::<Vec<_>>())
}

/// `POST /api/smpp/…`: 201; the name must be new.
pub(crate) async fn create<T: Party>(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (parts, payload) = request.into_parts();
    let payload = read_body(&api, payload).await?;
    let party = T::create(&payload).await?;
    let add = Change::Add {
        kind: T::KIND,
        name: Some(party.name().to_string()),
        body: party.encode(),
    };
    let told = told("create", None, Some(&party));
    let added = change(&api, &parts.extensions, (add, told)).await?;
    answer::<T>(&api, &added, StatusCode::CREATED)
}

/// `GET /api/smpp/…/{name}`; the id of the record does too.
pub(crate) async fn show<T: Party>(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (mut parts, _) = request.into_parts();
    let record = find::<T>(&api, &query::path(&mut parts).await?).await?;
    answer::<T>(&api, &record, StatusCode::OK)
}

/// `PATCH /api/smpp/…/{name}`: what is absent stays. In force within a second; for an account only
/// for new binds, a carrier is bound to anew.
pub(crate) async fn update<T: Party>(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (mut parts, payload) = request.into_parts();
    let key = query::path(&mut parts).await?;
    let payload = read_body(&api, payload).await?;
    let record = find::<T>(&api, &key).await?;
    let (id, old) = read::<T>(&record)?;
    let new = old.clone().apply(&payload).await?;
    let set = Change::Set {
        kind: T::KIND,
        id,
        base: Some(record.revision),
        body: new.encode(),
    };
    let told = told("update", Some(&old), Some(&new));
    let changed = change(&api, &parts.extensions, (set, told)).await?;
    answer::<T>(&api, &changed, StatusCode::OK)
}

/// `DELETE /api/smpp/…/{name}`.
pub(crate) async fn remove<T: Party>(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (mut parts, _) = request.into_parts();
    let record = find::<T>(&api, &query::path(&mut parts).await?).await?;
    let remove = Change::Remove {
        kind: T::KIND,
        id: record.id,
        base: None,
    };
    let (_, old) = read::<T>(&record)?;
    let told = told("remove", Some(&old), None);
    change(&api, &parts.extensions, (remove, told)).await?;
    Ok(json::removed())
}

/// By name, else by the id of the record.
async fn find<T: Party>(api: &Api, key: &str) -> Result<Record, Refusal> {
    let named = api.store.shelf_named(T::KIND, key.to_owned()).await;
    if let Some(record) = named.map_err(error::from_store)? {
        return Ok(record);
    }
    let unknown = || error::unknown(T::ENTRY, &query::shown(key));
    let id = query::number(key).ok_or_else(unknown)?;
    let record = api.store.shelf_record(T::KIND, id).await;
    record.map_err(error::from_store)?.ok_or_else(unknown)
}

/// The change and its line in the audit log, in one transaction.
async fn change(
    api: &Api,
    extensions: &Extensions,
    (change, told): (Change, Told),
) -> Result<Record, Refusal> {
    let kind = Some(change.kind());
    let changes = vec![change, audit::entry(extensions, told)?];
    let changed = api.store.change_shelf(changes, api.now()).await;
    let record = changed.map_err(error::from_store)?.into_iter().next();
    // An application may bind as soon as its operator has the answer.
    if let (Some(accounts), Some(Kind::SmppAccount)) = (&api.smpp, kind) {
        accounts.refresh().await;
    }
    record.ok_or_else(|| Refusal::new(Reason::Internal, "internal error"))
}

/// What the audit log says of a change: all but the password.
fn told<T: Party>(action: &'static str, before: Option<&T>, after: Option<&T>) -> Told {
    let shown = |party: Option<&T>| {
        let party = party.map(|party| party.shown(0, None));
        serde_json::to_value(party).unwrap_or_default()
    };
    Told {
        action,
        what: T::AUDIT,
        id: before.or(after).map(|party| party.name().to_string()),
        before: shown(before),
        after: shown(after),
    }
}

fn read<T: Party>(record: &Record) -> Result<(u64, T), Refusal> {
    let party = T::decode(&record.body).map_err(error::from_store)?;
    Ok((record.id, party))
}

fn answer<T: Party>(api: &Api, record: &Record, status: StatusCode) -> Result<Response, Refusal> {
    let (id, party) = read::<T>(record)?;
    json::data(status, party.shown(id, Some(api)))
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
