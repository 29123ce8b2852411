//! An import on the wire: `{"mode": …, "routes": […]}`, or an export as it came (S4.4).

use std::collections::HashSet;

use serde::Deserialize;
use zajil_core::outcome::Refusal;

use super::field::Field;
use crate::body::Object;

/// The body of an import of entries `I`.
#[derive(Debug, Deserialize)]
#[serde(bound(deserialize = "I: Deserialize<'de>"))]
pub(crate) struct ImportIn<'a, I> {
    /// `merge` or `replace`.
    #[serde(borrow, default)]
    mode: Field<'a>,
    #[serde(default = "nothing", alias = "routes", alias = "rules")]
    entries: Option<Vec<Object<I>>>,
    #[serde(default = "nothing")]
    data: Option<Object<Exported<I>>>,
}

#[derive(Debug, Deserialize)]
#[serde(bound(deserialize = "I: Deserialize<'de>"))]
struct Exported<I> {
    #[serde(default = "nothing", alias = "routes", alias = "rules")]
    entries: Option<Vec<Object<I>>>,
}

fn nothing<T>() -> Option<T> {
    None
}

/// What to import, and whether all others go.
#[derive(Debug)]
pub(crate) struct Import<T> {
    pub(crate) entries: Vec<T>,
    pub(crate) replace: bool,
}

impl<I> ImportIn<'_, I> {
    /// The import; a refusal names the item. `read` makes an entry and tells its id, if it has one.
    pub(crate) fn into_import<T>(
        self,
        name: &str,
        read: impl Fn(I) -> Result<(Option<u64>, T), Refusal>,
    ) -> Result<Import<T>, Refusal> {
        let words = ["merge", "replace"];
        let replace = self.mode.word(
            "mode",
            |w| words.contains(&w).then(|| w == "replace"),
            &words,
        )?;
        let items = self
            .entries
            .or(self.data.and_then(|Object(data)| data.entries));
        let items = items.ok_or_else(|| Refusal::field(name, "is required"))?;
        let mut entries = Vec::with_capacity(items.len());
        let mut ids = HashSet::new();
        for (index, Object(item)) in items.into_iter().enumerate() {
            let read = read(item).and_then(|(id, entry)| {
                if id.is_some_and(|id| !ids.insert(id)) {
                    let rule = "must not be that of an earlier entry";
                    return Err(Refusal::field("id", rule));
                }
                Ok(entry)
            });
            entries.push(read.map_err(|refusal| Refusal {
                detail: format!("{name}[{index}]: {}", refusal.detail),
                ..refusal
            })?);
        }
        Ok(Import {
            entries,
            replace: replace.unwrap_or(false),
        })
    }
}
