//! The stable words for findings: clients may depend on them, sentences may change.

/// What kind of finding it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// Its charge has not been answered.
    WaitsForCharge,
    /// Its life is over, and the sweep has not come by.
    LifeOver,
    /// A poller holds it.
    Leased,
    /// An attempt failed, and the next one is later.
    PutOff,
    /// Whoever sent or edited it wants it later.
    Scheduled,
    /// No frontend of that name has registered.
    FrontendUnknown,
    /// Its frontend does not register any more.
    FrontendInactive,
    /// Its frontend is paused, or congested.
    FrontendPaused,
    /// It is the next one, and nobody takes it.
    NotTaken,
    /// Others have waited longer.
    BehindOthers,
    /// Nobody has decided who delivers it.
    Unrouted,
    /// Its location decides who delivers it.
    Located,
    /// There is no location of its destination.
    LocationUnknown,
    /// The location of its destination has run out.
    LocationExpired,
    /// Its destination has detached.
    LocationDetached,
    /// The location names no frontend.
    LocationWithoutFrontend,
    /// The location names another frontend than the one that has it.
    LocationElsewhere,
    /// The routes of today would take it.
    RouteToday,
    /// The routes of today would not take it either.
    NoRouteToday,
    /// Other frontends follow.
    Followers,
    /// When its life ends.
    Expires,
    /// It was delivered.
    Delivered,
    /// Its life ran out.
    Expired,
    /// It failed for good.
    Failed,
    /// Charging refused it.
    Rejected,
    /// A drop route took it.
    Dropped,
    /// Why the last attempt failed.
    LastFailure,
    /// No attempt was ever reported.
    NeverAttempted,
    /// Its CDR is in the outbox.
    CdrWaits,
    /// Its CDR is written.
    CdrWritten,
    /// CDRs are switched off.
    CdrOff,
    /// Until when it can be read.
    KeptUntil,
    /// It went on although charging failed.
    ChargeFailed,
    /// Its price was taken.
    Debited,
    /// Reports came after its end.
    LateReports,
    /// Its event log is over.
    LogOver,
    /// The id is not one that this system can have handed out yet.
    IdOfTheFuture,
    /// It was removed.
    Removed,
    /// It ended, and its time here is over.
    PastRetention,
    /// Whatever there was is past the log's time too.
    PastLog,
    /// There is no trace of it.
    NeverSeen,
    /// The last line of its log.
    LogSays,
}

impl Code {
    /// The word in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WaitsForCharge => "waits_for_charge",
            Self::LifeOver => "life_over",
            Self::Leased => "leased",
            Self::PutOff => "put_off",
            Self::Scheduled => "scheduled",
            Self::FrontendUnknown => "frontend_unknown",
            Self::FrontendInactive => "frontend_inactive",
            Self::FrontendPaused => "frontend_paused",
            Self::NotTaken => "not_taken",
            Self::BehindOthers => "behind_others",
            Self::Unrouted => "unrouted",
            Self::Located => "located",
            Self::LocationUnknown => "location_unknown",
            Self::LocationExpired => "location_expired",
            Self::LocationDetached => "location_detached",
            Self::LocationWithoutFrontend => "location_without_frontend",
            Self::LocationElsewhere => "location_elsewhere",
            Self::RouteToday => "route_today",
            Self::NoRouteToday => "no_route_today",
            Self::Followers => "followers",
            Self::Expires => "expires",
            Self::Delivered => "delivered",
            Self::Expired => "expired",
            Self::Failed => "failed",
            Self::Rejected => "rejected",
            Self::Dropped => "dropped",
            Self::LastFailure => "last_failure",
            Self::NeverAttempted => "never_attempted",
            Self::CdrWaits => "cdr_waits",
            Self::CdrWritten => "cdr_written",
            Self::CdrOff => "cdr_off",
            Self::KeptUntil => "kept_until",
            Self::ChargeFailed => "charge_failed",
            Self::Debited => "debited",
            Self::LateReports => "late_reports",
            Self::LogOver => "log_over",
            Self::IdOfTheFuture => "id_of_the_future",
            Self::Removed => "removed",
            Self::PastRetention => "past_retention",
            Self::PastLog => "past_log",
            Self::NeverSeen => "never_seen",
            Self::LogSays => "log_says",
        }
    }
}
