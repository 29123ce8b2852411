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
    /// The text fields that were sent as null or empty.
    pub(crate) fn emptied(&self) -> Vec<&'static str> {
        let fields = [
            ("msisdn", &self.msisdn),
            ("location", &self.location),
            ("ran_location", &self.ran_location),
            ("imei", &self.imei),
            ("user_agent", &self.user_agent),
        ];
        fields
            .into_iter()
            .filter(|(_, field)| match field {
                Field::Null => true,
                Field::Text(text) => text.is_empty(),
                _ => false,
            })
            .map(|(name, _)| name)
            .collect()
    }

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

/// Refuses what a PATCH cannot do to the record: another IMSI, or taking away a text it holds. A
/// client that sends back what it read changes nothing.
///
/// # Errors
/// `Invalid`, naming the first such field.
pub(crate) fn check_patch(
    record: &Location,
    sighting: &Sighting,
    emptied: &[&str],
) -> Result<(), Refusal> {
    if sighting
        .imsi
        .as_ref()
        .is_some_and(|imsi| *imsi != record.imsi)
    {
        return Err(Refusal::field("imsi", "cannot be changed"));
    }
    for name in emptied {
        let held = match *name {
            "msisdn" => record.msisdn.is_some(),
            "location" => record.location.is_some(),
            "ran_location" => record.ran_location.is_some(),
            "imei" => record.imei.is_some(),
            _ => record.user_agent.is_some(),
        };
        if held {
            return Err(Refusal::field(name, "cannot be cleared"));
        }
    }
    Ok(())
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
