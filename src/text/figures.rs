//! Numbers as people read them: byte sizes, short counts, grouped digits.

/// A number of bytes in binary units with one decimal, as `512 B`, `1.9 KiB`, `15.4 MiB`.
pub fn human_bytes(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    // 1023.95 would print as "1024.0": the next unit reads better.
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// A count in at most five columns with three significant digits: `999`, `1.20k`, `12.3k`, `1.20M`, `3.40G`.
///
/// Counts beyond 999 T keep growing in digits before the `T`.
pub fn human_count(count: u64) -> String {
    const UNITS: [char; 4] = ['k', 'M', 'G', 'T'];
    if count < 1000 {
        return count.to_string();
    }
    let mut value = count as f64 / 1000.0;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    // The thresholds are where rounding would add a digit: 9.995 is already "10.0".
    let decimals = match value {
        value if value < 9.995 => 2,
        value if value < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.decimals$}{}", UNITS[unit])
}

/// A number with its digits grouped by commas: `1,204,331`.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A number of things: `1 rule`, `2,048 rules`. For nouns that take an `s`.
pub fn counted(number: u64, noun: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{} {noun}{s}", thousands(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_carry_into_the_next_unit() {
        assert_eq!(human_bytes(0), "0 B");
        assert_eq!(human_bytes(1023), "1023 B");
        assert_eq!(human_bytes(1024), "1.0 KiB");
        assert_eq!(human_bytes(1945), "1.9 KiB");
        assert_eq!(human_bytes(1024 * 1024 - 1), "1.0 MiB");
        assert_eq!(human_bytes(300 << 20), "300.0 MiB");
        assert_eq!(human_bytes(u64::MAX), "16.0 EiB");
    }

    #[test]
    fn counts_keep_three_digits() {
        assert_eq!(human_count(999), "999");
        assert_eq!(human_count(1000), "1.00k");
        assert_eq!(human_count(9_994), "9.99k");
        assert_eq!(human_count(9_996), "10.0k");
        assert_eq!(human_count(12_345), "12.3k");
        assert_eq!(human_count(999_499), "999k");
        assert_eq!(human_count(999_999), "1.00M");
        assert_eq!(human_count(1_204_331), "1.20M");
        assert_eq!(human_count(3_400_000_000), "3.40G");
    }

    #[test]
    fn digits_are_grouped() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(1000), "1,000");
        assert_eq!(thousands(1_204_331), "1,204,331");
        assert_eq!(thousands(u64::MAX), "18,446,744,073,709,551,615");
    }

    #[test]
    fn nouns_agree_with_their_number() {
        assert_eq!(counted(0, "rule"), "0 rules");
        assert_eq!(counted(1, "rule"), "1 rule");
        assert_eq!(counted(2048, "rule"), "2,048 rules");
    }
}
