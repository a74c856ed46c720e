//! Base64 as Kubernetes writes it (RFC 4648, both alphabets), read only to see whether it hides a credential.

/// The bytes of a text that is base64 as a whole: either alphabet, padding or none, line breaks ignored. `None`
/// when it holds anything else.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut held) = (0_u32, 0_u32);
    for byte in text.trim_end().trim_end_matches('=').bytes() {
        if matches!(byte, b'\n' | b'\r') {
            continue;
        }
        bits = (bits << 6 | sextet(byte)?) & 0xff_ffff;
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push(u8::try_from(bits >> held & 0xff).ok()?);
        }
    }
    // Six bits left over are one character too many: no number of bytes encodes to that length.
    (held < 6).then_some(out)
}

/// The six bits that a letter of either alphabet stands for.
pub(super) fn sextet(byte: u8) -> Option<u32> {
    let value = match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    };
    Some(u32::from(value))
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn both_alphabets_with_and_without_padding() {
        assert_eq!(decode("aHVudGVyMg==").as_deref(), Some(b"hunter2".as_slice()));
        assert_eq!(decode("aHVu\ndGVyMg\n").as_deref(), Some(b"hunter2".as_slice()));
        assert_eq!(decode("-_8").as_deref(), Some([0xfb, 0xff].as_slice()));
        assert_eq!(decode("+/8=").as_deref(), Some([0xfb, 0xff].as_slice()));
        assert_eq!(decode("").as_deref(), Some([].as_slice()));
        for not_base64 in ["a", "ab cd", "hunter2!", "a=b", "ü"] {
            assert_eq!(decode(not_base64), None, "{not_base64:?}");
        }
    }
}
