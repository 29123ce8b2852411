//! Errors as one line of text.

use std::error::Error;

/// An error with its causes. A cause that the text already tells is left out: some drivers repeat
/// it in their own.
#[must_use]
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    causes.fold(error.to_string(), |text, cause| {
        let cause = cause.to_string();
        match text.contains(&cause) {
            true => text,
            false => format!("{text}: {cause}"),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Outer(&'static str, #[source] std::io::Error);

    #[test]
    fn every_cause_is_told_once() {
        let cause = || std::io::Error::other("it is full");
        assert_eq!(
            chain(&Outer("cannot write", cause())),
            "cannot write: it is full"
        );
        assert_eq!(
            chain(&Outer("lost: it is full", cause())),
            "lost: it is full"
        );
    }
}
