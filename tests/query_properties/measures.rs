//! Numbers, addresses, lengths of time and moments, as the model reads them out of a question.

use std::net::IpAddr;

use kauditui::model::{Micros, SECOND};

use crate::asked::Asked;
use crate::pools::DAY;

/// What lengths such as `-15m` count back from.
pub const REFERENCE: Micros = DAY + (3 * 3600 + 20) * SECOND;
/// A time of day is the latest such moment before this.
pub const NEWEST: Micros = DAY + (3 * 3600 + 4) * SECOND;

pub fn code_is(asked: Asked<'_>, code: u16) -> bool {
    if asked.regex {
        return code > 0 && asked.is(&code.to_string());
    }
    match asked.text() {
        "" => code == 0,
        "*" => code != 0,
        ">=400" => code >= 400,
        ">400" => code > 400,
        "<300" => code != 0 && code < 300,
        "<=200" => code != 0 && code <= 200,
        "400-403" => (400..=403).contains(&code),
        "4xx" => code / 100 == 4,
        exact => exact.trim_start_matches('=').parse() == Ok(code),
    }
}

/// Ids are numbers, however they are written, unless somebody chose one that is none.
pub fn audit_id_is(asked: Asked<'_>, id: &str) -> bool {
    let is_number = id.len() == 36 && !id.chars().any(char::is_uppercase);
    let has_star = !asked.value.quoted && asked.text().contains('*');
    if is_number && !asked.regex && !has_star { asked.text().eq_ignore_ascii_case(id) } else { asked.is(id) }
}

pub fn address_is(asked: Asked<'_>, text: &str) -> bool {
    let bits = |text: &str| match text.parse::<IpAddr>().ok()?.to_canonical() {
        IpAddr::V4(ip) => Some((32, u128::from(u32::from(ip)))),
        IpAddr::V6(ip) => Some((128, u128::from(ip))),
    };
    if asked.regex {
        return asked.is(text);
    }
    if let Some((network, length)) = asked.text().split_once('/') {
        let length: u32 = length.parse().expect("only networks are generated");
        let (Some((width, network)), Some((other, ip))) = (bits(network), bits(text)) else { return false };
        return width == other && (network ^ ip).checked_shr(width - length).unwrap_or(0) == 0;
    }
    match bits(asked.text()) {
        Some(wanted) => bits(text) == Some(wanted),
        None => asked.is(text),
    }
}

/// `1s500ms`
fn length(text: &str) -> Micros {
    let mut total = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let unit = rest.find(|c: char| !c.is_ascii_digit()).expect("a unit");
        let after = rest[unit..].find(|c: char| c.is_ascii_digit()).map_or(rest.len(), |at| unit + at);
        let number: Micros = rest[..unit].parse().expect("a number");
        total += number
            * match &rest[unit..after] {
                "us" => 1,
                "ms" => 1_000,
                "s" => SECOND,
                "m" => 60 * SECOND,
                other => panic!("{other} is not generated"),
            };
        rest = &rest[after..];
    }
    total
}

pub fn length_is(asked: &str, took: Micros) -> bool {
    if let Some((low, high)) = asked.split_once('-') {
        return length(low) <= took && took <= length(high);
    }
    match asked.as_bytes() {
        [b'>', b'=', ..] => took >= length(&asked[2..]),
        [b'<', b'=', ..] => took <= length(&asked[2..]),
        [b'>', ..] => took > length(&asked[1..]),
        _ => took < length(asked.trim_start_matches('<')),
    }
}

/// When a moment begins, and how long it is.
pub fn moment(text: &str) -> (Micros, Micros) {
    const MINUTE: Micros = 60 * SECOND;
    if text == "now" {
        return (REFERENCE, MINUTE);
    }
    if let Some(back) = text.strip_prefix('-') {
        return (REFERENCE - length(back), MINUTE);
    }
    let (day, clock) = text.split_at(if text.starts_with("2026-01-14") { 10 } else { 0 });
    if clock.is_empty() {
        return (DAY, 24 * 60 * MINUTE);
    }
    let clock = clock.trim_start_matches(['T', ' ']).trim_end_matches('Z');
    let (clock, ahead) = clock.strip_suffix("+01:00").map_or((clock, 0), |clock| (clock, 60 * MINUTE));
    let parts: Vec<f64> = clock.split(':').map(|part| part.parse().expect("a number")).collect();
    let seconds = parts[0] * 3600.0 + parts[1] * 60.0 + parts.get(2).unwrap_or(&0.0);
    let mut time = DAY + (seconds * SECOND as f64).round() as Micros - ahead;
    if day.is_empty() && time > NEWEST {
        time -= 24 * 60 * MINUTE;
    }
    (time, if parts.len() > 2 { SECOND } else { MINUTE })
}
