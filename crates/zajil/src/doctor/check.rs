//! A check's answer, and the time that it may take.

use std::fmt;
use std::sync::mpsc;
use std::time::Duration;

use serde_json::{Value, json};

/// How it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    Ok,
    Warn,
    Fail,
    /// The server does not answer; everything else may be well.
    Unreachable,
}

/// What one check found.
#[derive(Debug, Clone)]
pub(crate) struct Check {
    pub(crate) name: &'static str,
    pub(crate) level: Level,
    pub(crate) sentence: String,
    pub(crate) remedy: Option<String>,
}

impl Check {
    fn new(name: &'static str, level: Level, sentence: impl Into<String>) -> Self {
        Self {
            name,
            level,
            sentence: sentence.into(),
            remedy: None,
        }
    }

    pub(crate) fn ok(name: &'static str, sentence: impl Into<String>) -> Self {
        Self::new(name, Level::Ok, sentence)
    }

    pub(crate) fn warn(name: &'static str, sentence: impl Into<String>) -> Self {
        Self::new(name, Level::Warn, sentence)
    }

    pub(crate) fn fail(name: &'static str, sentence: impl Into<String>) -> Self {
        Self::new(name, Level::Fail, sentence)
    }

    pub(crate) fn unreachable(name: &'static str, sentence: impl Into<String>) -> Self {
        Self::new(name, Level::Unreachable, sentence)
    }

    pub(crate) fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    fn word(&self) -> &'static str {
        match self.level {
            Level::Ok => "ok",
            Level::Warn => "warn",
            Level::Fail | Level::Unreachable => "FAIL",
        }
    }

    pub(crate) fn shown(&self) -> Value {
        json!({
            "name": self.name,
            "level": self.word().to_lowercase(),
            "sentence": self.sentence,
            "remedy": self.remedy,
        })
    }
}

/// One line, and one more for what to do.
impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, sentence, .. } = self;
        writeln!(f, "{:4}  {name}: {sentence}", self.word())?;
        match &self.remedy {
            Some(remedy) => writeln!(f, "      > {remedy}"),
            None => Ok(()),
        }
    }
}

/// Runs a check, and answers for it when it takes too long: a dead network file system holds
/// whoever touches it. Its thread is left behind; the process ends soon.
pub(crate) fn in_time(
    name: &'static str,
    within: Duration,
    work: impl FnOnce() -> Vec<Check> + Send + 'static,
) -> Vec<Check> {
    let (tell, told) = mpsc::sync_channel(1);
    std::thread::spawn(move || {
        // Nobody listens any more when it took too long.
        drop(tell.send(work()));
    });
    told.recv_timeout(within).unwrap_or_else(|_| {
        let seconds = within.as_secs();
        vec![
            Check::fail(name, format!("no answer within {seconds} s"))
                .remedy("the disk or the host behind it hangs, or has more to do than it can"),
        ]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_that_hangs_is_answered_for() {
        let (hold, held) = mpsc::channel::<()>();
        let checks = in_time("disk", Duration::from_millis(20), move || {
            assert!(held.recv().is_err());
            Vec::new()
        });
        drop(hold);
        assert_eq!(checks.len(), 1);
        assert_eq!(checks[0].level, Level::Fail);
        assert!(
            checks[0]
                .to_string()
                .starts_with("FAIL  disk: no answer within 0 s\n      > ")
        );
    }
}
