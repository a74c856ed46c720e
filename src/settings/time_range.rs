//! `--since` and `--until` as moments. What they count from is only known once the newest event is.

use crate::error::{Error, Result};
use crate::model::{Micros, SECOND, TimeZoneChoice, format_local_offset, format_stamp, parse_user_time};

/// A log whose newest event is older than this is taken for one that is no longer written: lengths of time then count
/// back from that event. A kube-apiserver writes every few seconds (leases alone are renewed every ten).
pub const NO_LONGER_WRITTEN: Micros = 15 * 60 * SECOND;

/// What lengths such as `15m` count back from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reference {
    /// The present.
    Now(Micros),
    /// The newest event of a log that is no longer written.
    NewestEvent(Micros),
}

impl Reference {
    /// The reference for logs whose newest event is `newest`.
    pub fn choose(newest: Option<Micros>, now: Micros) -> Reference {
        match newest {
            Some(newest) if newest < now.saturating_sub(NO_LONGER_WRITTEN) => Reference::NewestEvent(newest),
            _ => Reference::Now(now),
        }
    }

    /// The moment itself.
    pub fn moment(self) -> Micros {
        match self {
            Reference::Now(moment) | Reference::NewestEvent(moment) => moment,
        }
    }
}

/// The stretch of stage times that is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimeRange {
    /// First moment that is shown.
    pub since: Option<Micros>,
    /// First moment that is no longer shown.
    pub until: Option<Micros>,
    /// What the bounds were counted from; `None` when they do not depend on it.
    pub reference: Option<Reference>,
}

impl TimeRange {
    /// Turns the bounds as typed into moments, `newest` being the newest event of all logs.
    ///
    /// # Errors
    /// [`Error::Usage`] for what is no time, or an end that is not after the start.
    pub fn resolve(
        since: Option<&str>,
        until: Option<&str>,
        newest: Option<Micros>,
        now: Micros,
        zone: TimeZoneChoice,
    ) -> Result<TimeRange> {
        let reference = Reference::choose(newest, now);
        // A clock that runs ahead must not make "03:00" mean tomorrow.
        let latest = newest.unwrap_or(now).min(now);
        let moment = |name: &str, text: Option<&str>| {
            text.map(|text| read(name, text, reference.moment(), latest, zone)).transpose()
        };
        let range = TimeRange {
            since: moment("--since", since)?,
            until: moment("--until", until)?,
            reference: [since, until]
                .into_iter()
                .flatten()
                .any(|text| absolute(text, zone).is_none())
                .then_some(reference),
        };
        match (range.since, range.until) {
            (Some(from), Some(to)) if from >= to => Err(Error::Usage {
                message: format!(
                    "--since {} is not before --until {}",
                    format_stamp(from, zone),
                    format_stamp(to, zone)
                ),
                tip: "lengths count back in time: --since 2h --until 1h is the hour before the last".into(),
            }),
            _ => Ok(range),
        }
    }

    /// The start when it does not depend on the newest event, so that older history need not be read at all.
    pub fn absolute_start(since: Option<&str>, zone: TimeZoneChoice) -> Option<Micros> {
        since.and_then(|text| absolute(text, zone))
    }

    /// The bounds as a filter takes them, `None` when everything is shown.
    pub fn bounds(&self) -> Option<(Micros, Micros)> {
        (self.since.is_some() || self.until.is_some())
            .then(|| (self.since.unwrap_or(Micros::MIN), self.until.unwrap_or(Micros::MAX)))
    }

    /// Says what is shown and from where times were counted; `None` when there is nothing to say.
    pub fn explain(&self, zone: TimeZoneChoice) -> Option<String> {
        let stamp = |time| format!("{}{}", format_stamp(time, zone), format_local_offset(time, zone));
        let bounds = match (self.since, self.until) {
            (None, None) => return None,
            (Some(from), None) => format!("from {}", stamp(from)),
            (None, Some(to)) => format!("before {}", stamp(to)),
            (Some(from), Some(to)) => format!("from {} to {}", stamp(from), stamp(to)),
        };
        Some(match self.reference {
            None => bounds,
            Some(Reference::Now(_)) => format!("{bounds} (counted from now)"),
            Some(Reference::NewestEvent(newest)) => {
                format!("{bounds} (counted from the newest event, {}: no longer written)", stamp(newest))
            }
        })
    }
}

/// Refuses early what can never be a time.
///
/// # Errors
/// [`Error::Usage`] when `text` is no time.
pub fn check_time(name: &str, text: Option<&str>, zone: TimeZoneChoice) -> Result<()> {
    text.map_or(Ok(()), |text| read(name, text, 0, 0, zone).map(|_| ()))
}

fn read(name: &str, text: &str, reference: Micros, newest: Micros, zone: TimeZoneChoice) -> Result<Micros> {
    parse_user_time(text, reference, newest, zone).map_err(|explanation| {
        let (message, tip) = explanation.split_once("; ").unwrap_or((&explanation, "see kauditui --help"));
        let message = format!("{name}: {}", crate::text::sanitise(message));
        Error::Usage { message, tip: tip.to_owned() }
    })
}

/// The moment that `text` names whatever it is counted from.
fn absolute(text: &str, zone: TimeZoneChoice) -> Option<Micros> {
    // Two references that differ in the day and in the time of day: only an absolute moment agrees under both.
    const ONE: Micros = 1_000_000_000 * SECOND;
    const OTHER: Micros = ONE + 100 * 86_400 * SECOND + 12_345 * SECOND;
    let under = |reference| parse_user_time(text, reference, reference, zone).ok();
    under(ONE).filter(|moment| Some(*moment) == under(OTHER))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::parse_rfc3339;

    const UTC: TimeZoneChoice = TimeZoneChoice::Utc;

    fn at(text: &str) -> Micros {
        parse_rfc3339(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_log_that_is_written_counts_from_now_an_old_one_from_its_end() {
        let now = at("2026-11-20T12:00:00Z");
        let live = at("2026-11-20T11:50:00Z");
        let range = TimeRange::resolve(Some("1h"), None, Some(live), now, UTC).unwrap();
        assert_eq!(range.since, Some(at("2026-11-20T11:00:00Z")));
        assert!(range.explain(UTC).unwrap().ends_with("(counted from now)"));

        let old = at("2026-11-19T08:00:00Z");
        let range = TimeRange::resolve(Some("1h"), Some("10m"), Some(old), now, UTC).unwrap();
        assert_eq!(range.bounds(), Some((at("2026-11-19T07:00:00Z"), at("2026-11-19T07:50:00Z"))));
        assert_eq!(range.reference, Some(Reference::NewestEvent(old)));
        assert!(range.explain(UTC).unwrap().contains("newest event, 2026-11-19 08:00:00Z"));

        let clock = TimeRange::resolve(Some("09:00"), None, Some(old), now, UTC).unwrap();
        assert_eq!(clock.since, Some(at("2026-11-18T09:00:00Z")), "the latest not after the newest event");
    }

    #[test]
    fn absolute_bounds_need_no_reference() {
        let range =
            TimeRange::resolve(Some("2026-01-14T03:00:00Z"), None, None, at("2026-11-20T12:00:00Z"), UTC);
        assert_eq!(range.unwrap().reference, None);
        assert_eq!(
            TimeRange::absolute_start(Some("2026-01-14 03:00"), UTC),
            Some(at("2026-01-14T03:00:00Z"))
        );
        for relative in ["15m", "03:00", "now", "-2h"] {
            assert_eq!(TimeRange::absolute_start(Some(relative), UTC), None, "{relative}");
        }
        let all = TimeRange::resolve(None, None, None, 0, UTC).unwrap();
        assert_eq!((all.bounds(), all.explain(UTC)), (None, None));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for (since, until) in [(Some("yesterday"), None), (Some("1h"), Some("2h")), (None, Some("25:00"))] {
            let refused = TimeRange::resolve(since, until, None, at("2026-11-20T12:00:00Z"), UTC);
            assert!(matches!(refused, Err(Error::Usage { .. })), "{since:?} {until:?}");
        }
        assert!(check_time("--since", Some("15m"), UTC).is_ok());
        assert!(
            check_time("--since", Some("\u{1b}[31m"), UTC).is_err_and(|e| !e.to_string().contains('\u{1b}'))
        );
    }
}
