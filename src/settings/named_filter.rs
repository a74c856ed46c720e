//! `-f @NAME`: a filter that the configuration file names. Named filters are offered, never applied by themselves.

use crate::error::{Error, Result};
use crate::query::nearest;

/// Whether this can be the name of a filter: letters, digits, `-` and `_`.
pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

/// The expression that is meant by what was typed: that of a filter in `known` for `@NAME`, else what was typed.
///
/// # Errors
/// [`Error::Usage`] for a name that is not known, and for one that does not stand alone: both would be looked for as
/// words, and find nothing without saying why.
pub(super) fn resolve(typed: String, known: &[(String, String)]) -> Result<String> {
    let Some(rest) = typed.trim().strip_prefix('@') else { return Ok(typed) };
    let name = rest.split(char::is_whitespace).next().unwrap_or_default();
    if !is_name(name) {
        return Ok(typed);
    }
    let as_word = format!("to search for the word, write -f '\"@{name}\"'");
    match known.iter().find(|(other, _)| other == name) {
        Some((_, expression)) if name == rest => Ok(expression.clone()),
        Some((_, expression)) => Err(Error::Usage {
            message: format!("the filter @{name} stands alone, and here something follows it"),
            tip: format!("write its expression out: {expression}; {as_word}"),
        }),
        None => Err(Error::Usage {
            message: format!("there is no filter @{name}"),
            tip: format!("{}; {as_word}", names_of(known, name)),
        }),
    }
}

/// The names there are, the one that was perhaps meant first.
fn names_of(known: &[(String, String)], written: &str) -> String {
    let names = || known.iter().map(|(name, _)| name.as_str());
    let list = names().map(|name| format!("@{name}")).collect::<Vec<_>>().join(", ");
    match nearest(written, names()) {
        _ if known.is_empty() => {
            "filters get a name below [filters] in ~/.config/kauditui/config.toml".to_owned()
        }
        Some(near) => format!("did you mean @{near}? known are {list}"),
        None => format!("known are {list}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(typed: &str) -> Result<String> {
        let known = [("deletions", "verb:delete"), ("by-alice", "user:alice")];
        resolve(typed.to_owned(), &known.map(|(name, expression)| (name.to_owned(), expression.to_owned())))
    }

    #[test]
    fn a_name_means_its_expression_and_the_rest_means_itself() {
        assert_eq!(resolved("@deletions").unwrap(), "verb:delete");
        assert_eq!(resolved(" @by-alice ").unwrap(), "user:alice");
        for word in ["user:alice", "\"@deletions\"", "@example.com", "@", "@ deletions", "ns:prod @x", "-@x"]
        {
            assert_eq!(resolved(word).unwrap(), word);
        }
    }

    #[test]
    fn a_name_nobody_knows_is_refused() {
        let told = |typed: &str| {
            let error = resolved(typed).unwrap_err();
            (error.to_string(), error.tip())
        };
        let (message, tip) = told("@foo");
        assert_eq!(message, "there is no filter @foo");
        assert_eq!(tip, "known are @deletions, @by-alice; to search for the word, write -f '\"@foo\"'");
        assert!(told("@deletion").1.starts_with("did you mean @deletions? known are "));
        assert_eq!(told("@Deletions ns:prod").0, "there is no filter @Deletions");
        let (message, tip) = told("@deletions ns:prod");
        assert_eq!(message, "the filter @deletions stands alone, and here something follows it");
        assert!(tip.starts_with("write its expression out: verb:delete; "), "{tip}");
        let none = resolve("@foo".to_owned(), &[]).unwrap_err().tip();
        assert!(none.starts_with("filters get a name below [filters] in "), "{none}");
    }
}
