//! A subscriber's location on the wire (S3.3).

use serde::{Deserialize, Serialize};
use zajil_core::frontend::FrontendName;
use zajil_core::location::{Location, Sighting};
use zajil_core::outcome::Refusal;

use super::At;
use super::field::{Field, SHORT};

/// The body of a POST or PATCH.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct SightingIn<'a> {
    #[serde(borrow)]
    imsi: Field<'a>,
    msisdn: Field<'a>,
    location: Field<'a>,
    ran_location: Field<'a>,
    imei: Field<'a>,
    ims_capable: Field<'a>,
    csfb: Field<'a>,
    registered: Field<'a>,
    expires: Field<'a>,
    user_agent: Field<'a>,
}

impl SightingIn<'_> {
    /// The sighting. A new one needs an IMSI; only the port knows whether it is new.
    pub(crate) fn into_sighting(self) -> Result<Sighting, Refusal> {
        let imsi = self.imsi.parsed("imsi", |text| {
            let digits = text.len() <= 15 && text.bytes().all(|b| b.is_ascii_digit());
            digits
                .then(|| text.to_owned())
                .ok_or("must be a string of 1 to 15 digits")
        })?;
        Ok(Sighting {
            imsi,
            msisdn: self
                .msisdn
                .number("msisdn")?
                .map(|given| given.as_str().to_owned()),
            location: self.location.frontend("location")?,
            ran_location: self.ran_location.text("ran_location", SHORT)?,
            imei: self.imei.text("imei", SHORT)?,
            ims_capable: self.ims_capable.boolean("ims_capable")?,
            csfb: self.csfb.boolean("csfb")?,
            registered: self.registered.boolean("registered")?,
            expires: self.expires.change(|field| field.time("expires"))?,
            user_agent: self.user_agent.text("user_agent", SHORT)?,
        })
    }
}

/// A location as it is shown.
#[derive(Debug, Serialize)]
pub(crate) struct LocationOut<'a> {
    id: u64,
    msisdn: Option<&'a str>,
    imsi: &'a str,
    location: Option<&'a str>,
    ran_location: Option<&'a str>,
    imei: Option<&'a str>,
    ims_capable: bool,
    csfb: bool,
    registered: bool,
    expires: Option<At>,
    user_agent: Option<&'a str>,
    inserted_at: At,
    updated_at: At,
}

impl<'a> From<&'a Location> for LocationOut<'a> {
    fn from(location: &'a Location) -> Self {
        Self {
            id: location.id,
            msisdn: location.msisdn.as_deref(),
            imsi: &location.imsi,
            location: location.location.as_ref().map(FrontendName::as_str),
            ran_location: location.ran_location.as_deref(),
            imei: location.imei.as_deref(),
            ims_capable: location.ims_capable,
            csfb: location.csfb,
            registered: location.registered,
            expires: location.expires.map(At),
            user_agent: location.user_agent.as_deref(),
            inserted_at: At(location.inserted_at),
            updated_at: At(location.updated_at),
        }
    }
}
