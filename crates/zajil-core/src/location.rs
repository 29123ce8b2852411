//! Locations: where a subscriber is registered, written by HSS, MME or IMS frontends (S3.3).

use crate::clock::Timestamp;
use crate::frontend::FrontendName;

/// What a caller says about a subscriber's whereabouts. `None` leaves a known value unchanged.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sighting {
    /// `imsi`: the key; one subscriber has one location.
    pub imsi: Option<String>,
    /// `msisdn`.
    pub msisdn: Option<String>,
    /// `location`: the MSC or VLR, or the name of the frontend that reaches the subscriber.
    pub location: Option<FrontendName>,
    /// `ran_location`.
    pub ran_location: Option<String>,
    /// `imei`.
    pub imei: Option<String>,
    /// `ims_capable`.
    pub ims_capable: Option<bool>,
    /// `csfb`.
    pub csfb: Option<bool>,
    /// `registered`.
    pub registered: Option<bool>,
    /// `expires`; the inner `None` clears it: the location then never expires.
    pub expires: Option<Option<Timestamp>>,
    /// `user_agent`.
    pub user_agent: Option<String>,
}

/// Where a subscriber is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// `id` of the record.
    pub id: u64,
    /// `imsi`, unique.
    pub imsi: String,
    /// `msisdn`.
    pub msisdn: Option<String>,
    /// `location`.
    pub location: Option<FrontendName>,
    /// `ran_location`.
    pub ran_location: Option<String>,
    /// `imei`.
    pub imei: Option<String>,
    /// `ims_capable`.
    pub ims_capable: bool,
    /// `csfb`.
    pub csfb: bool,
    /// `registered`: a subscriber that has detached is reached nowhere.
    pub registered: bool,
    /// `expires`; none means until told otherwise.
    pub expires: Option<Timestamp>,
    /// `user_agent`.
    pub user_agent: Option<String>,
    /// `inserted_at`.
    pub inserted_at: Timestamp,
    /// `updated_at`.
    pub updated_at: Timestamp,
}

impl Location {
    /// A first sighting of the subscriber `imsi`.
    #[must_use]
    pub fn first(id: u64, imsi: String, sighting: Sighting, now: Timestamp) -> Self {
        let mut location = Self {
            id,
            imsi,
            msisdn: None,
            location: None,
            ran_location: None,
            imei: None,
            ims_capable: false,
            csfb: false,
            registered: true,
            expires: None,
            user_agent: None,
            inserted_at: now,
            updated_at: now,
        };
        location.update(sighting, now);
        location
    }

    /// Takes over what `sighting` says; the IMSI is the key and stays.
    pub fn update(&mut self, sighting: Sighting, now: Timestamp) {
        fn set<T>(field: &mut Option<T>, value: Option<T>) {
            if value.is_some() {
                *field = value;
            }
        }
        set(&mut self.msisdn, sighting.msisdn);
        set(&mut self.location, sighting.location);
        set(&mut self.ran_location, sighting.ran_location);
        set(&mut self.imei, sighting.imei);
        set(&mut self.user_agent, sighting.user_agent);
        self.ims_capable = sighting.ims_capable.unwrap_or(self.ims_capable);
        self.csfb = sighting.csfb.unwrap_or(self.csfb);
        self.registered = sighting.registered.unwrap_or(self.registered);
        self.expires = sighting.expires.unwrap_or(self.expires);
        self.updated_at = now;
    }

    /// The frontend that reaches the subscriber now, if the location is live (S3.3).
    #[must_use]
    pub fn serving(&self, now: Timestamp) -> Option<&FrontendName> {
        let live = self.registered && self.expires.is_none_or(|expires| expires > now);
        self.location.as_ref().filter(|_| live)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s3_3_only_a_live_location_routes() {
        let now = Timestamp::from_secs(1_000);
        let sighting = Sighting {
            location: FrontendName::parse("ims").ok(),
            expires: Some(Some(Timestamp::from_secs(1_001))),
            ..Sighting::default()
        };
        let mut location = Location::first(1, "001".into(), sighting, now);
        assert_eq!(location.serving(now).map(FrontendName::as_str), Some("ims"));
        assert_eq!(location.serving(Timestamp::from_secs(1_001)), None);
        location.update(
            Sighting {
                expires: Some(None),
                ..Sighting::default()
            },
            now,
        );
        assert!(
            location.serving(Timestamp::MAX).is_some(),
            "without expiry it holds"
        );
        location.update(
            Sighting {
                registered: Some(false),
                ..Sighting::default()
            },
            now,
        );
        assert_eq!(location.serving(now), None, "detached");
    }
}
