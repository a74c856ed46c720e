//! `--filter` as an expression, or as an error that points at the character.

use crate::error::{Error, Result};
use crate::query::{Expression, parse};
use crate::text::{sanitise, width};

/// Reads a filter as typed; without one, everything matches.
///
/// # Errors
/// [`Error::Filter`] when it is none.
pub fn read_filter(expression: Option<&str>) -> Result<Expression> {
    let Some(text) = expression else { return Ok(Expression::default()) };
    match parse(text) {
        Ok(expression) => Ok(expression),
        Err(error) => {
            let before: String = text.chars().take(error.position).collect();
            Err(Error::Filter {
                expression: sanitise(text).into_owned(),
                message: sanitise(&error.message).into_owned(),
                column: error.position + 1,
                caret: format!("{}^", " ".repeat(width(&sanitise(&before)))),
                suggestion: error.suggestion.map(|nearest| sanitise(&nearest).into_owned()),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_point_at_the_character() {
        assert!(read_filter(None).unwrap().root.is_none());
        assert!(read_filter(Some("verb:delete")).unwrap().root.is_some());
        let told = read_filter(Some("verb:get usr:alice")).unwrap_err().to_string();
        let lines: Vec<&str> = told.lines().collect();
        assert!(lines[0].ends_with("at character 10"), "{told}");
        assert_eq!(lines[1].find("usr"), lines[2].find('^'), "{told}");
    }
}
