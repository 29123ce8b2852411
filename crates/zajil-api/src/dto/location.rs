//! A subscriber's location on the wire (S3.3).

use serde::{Deserialize, Serialize};
use zajil_core::frontend::FrontendName;
use zajil_core::location::{Location, Sighting};
use zajil_core::outcome::Refusal;

use super::At;
use super::field::{Field, SHORT};
use crate::openapi::schema::{self, Described, Schema, given, shown};

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
        Ok(Sighting {
            imsi: self.imsi.imsi("imsi")?,
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

impl Described for SightingIn<'_> {
    const NAME: &'static str = "Sighting";

    fn schema() -> Schema {
        schema::object(
            &[],
            [
                (
                    "imsi",
                    given::imsi()
                        .says("Required of a POST.")
                        .example("001010000000001"),
                ),
                ("msisdn", given::number().example("+15551234567")),
                (
                    "location",
                    given::frontend().says("The MSC or VLR, or the name of a frontend."),
                ),
                ("ran_location", given::text(SHORT)),
                ("imei", given::text(SHORT)),
                ("ims_capable", given::boolean()),
                ("csfb", given::boolean()),
                ("registered", given::boolean()),
                (
                    "expires",
                    given::time().says("After that it routes nothing."),
                ),
                ("user_agent", given::text(SHORT)),
            ],
        )
    }
}

impl Described for LocationOut<'_> {
    const NAME: &'static str = "Location";

    fn schema() -> Schema {
        schema::record([
            ("id", shown::id()),
            ("msisdn", shown::text().or_null()),
            ("imsi", shown::text()),
            ("location", shown::text().or_null()),
            ("ran_location", shown::text().or_null()),
            ("imei", shown::text().or_null()),
            ("ims_capable", shown::boolean()),
            ("csfb", shown::boolean()),
            ("registered", shown::boolean()),
            ("expires", shown::time().or_null()),
            ("user_agent", shown::text().or_null()),
            ("inserted_at", shown::time()),
            ("updated_at", shown::time()),
        ])
    }
}
