use proptest::prelude::*;

use super::*;

fn decode(bytes: &[u8]) -> Vec<InputEvent> {
    let (mut decoder, mut events) = (Decoder::default(), VecDeque::new());
    decoder.feed(bytes, &mut events);
    decoder.flush(&mut events);
    assert!(!decoder.is_waiting());
    events.into()
}

fn pressed(code: KeyCode, modifiers: KeyModifiers) -> InputEvent {
    InputEvent::Key(KeyEvent::new(code, modifiers))
}

#[test]
fn every_kind_of_key_is_recognised() {
    use KeyCode::*;
    const NONE: KeyModifiers = KeyModifiers::NONE;
    let cases: &[(&[u8], KeyCode, KeyModifiers)] = &[
        (b"j", Char('j'), NONE),
        (b"G", Char('G'), KeyModifiers::SHIFT),
        ("é".as_bytes(), Char('é'), NONE),
        ("🦀".as_bytes(), Char('🦀'), NONE),
        (b"\r", Enter, NONE),
        (b"\t", Tab, NONE),
        (b"\x7f", Backspace, NONE),
        (b"\x03", Char('c'), KeyModifiers::CONTROL),
        (b"\x1a", Char('z'), KeyModifiers::CONTROL),
        (b"\x00", Char(' '), KeyModifiers::CONTROL),
        (b"\x1b", Esc, NONE),
        (b"\x1b[", Char('['), KeyModifiers::ALT),
        (b"\x1bx", Char('x'), KeyModifiers::ALT),
        (b"\x1b[A", Up, NONE),
        (b"\x1bOB", Down, NONE),
        (b"\x1b[1;5C", Right, KeyModifiers::CONTROL),
        (b"\x1b[1;4D", Left, KeyModifiers::SHIFT.union(KeyModifiers::ALT)),
        (b"\x1b[H", Home, NONE),
        (b"\x1b[4~", End, NONE),
        (b"\x1b[5~", PageUp, NONE),
        (b"\x1b[6;5~", PageDown, KeyModifiers::CONTROL),
        (b"\x1b[3~", Delete, NONE),
        (b"\x1b[Z", BackTab, KeyModifiers::SHIFT),
        (b"\x1bOP", F(1), NONE),
        (b"\x1b[[E", F(5), NONE),
        (b"\x1b[15~", F(5), NONE),
        (b"\x1b[17~", F(6), NONE),
        (b"\x1b[24~", F(12), NONE),
    ];
    for (bytes, code, modifiers) in cases {
        assert_eq!(decode(bytes), [pressed(*code, *modifiers)], "{bytes:?}");
    }
}

#[test]
fn a_lone_escape_waits_only_until_the_flush() {
    let (mut decoder, mut events) = (Decoder::default(), VecDeque::new());
    decoder.feed(b"\x1b", &mut events);
    assert!(events.is_empty() && decoder.is_waiting());
    decoder.feed(b"[A", &mut events);
    assert_eq!(events, [pressed(KeyCode::Up, KeyModifiers::NONE)]);
}

#[test]
fn a_paste_is_one_event_and_typing_goes_on_after_it() {
    let events = decode(b"a\x1b[200~ns:kube\nq\x1b[A\x1b[201~b");
    let expected = [
        pressed(KeyCode::Char('a'), KeyModifiers::NONE),
        InputEvent::Paste("ns:kube\nq\x1b[A".into()),
        pressed(KeyCode::Char('b'), KeyModifiers::NONE),
    ];
    assert_eq!(events, expected);
}

#[test]
fn a_paste_is_capped_and_one_without_an_end_is_let_go() {
    let mut bytes = b"\x1b[200~".to_vec();
    bytes.resize(bytes.len() + 2 * MAX_PASTE, b'x');
    assert_eq!(decode(&bytes), [InputEvent::Paste("x".repeat(MAX_PASTE))]);
    assert_eq!(decode(b"\x1b[200~half\x1b[20"), [InputEvent::Paste("half\x1b[20".into())]);
}

#[test]
fn mouse_reports_count_cells_from_zero() {
    let report = |kind, column, row| {
        InputEvent::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE })
    };
    assert_eq!(decode(b"\x1b[<0;1;1M"), [report(MouseEventKind::Down(MouseButton::Left), 0, 0)]);
    assert_eq!(decode(b"\x1b[<2;300;80m"), [report(MouseEventKind::Up(MouseButton::Right), 299, 79)]);
    assert_eq!(decode(b"\x1b[<65;5;6M"), [report(MouseEventKind::ScrollDown, 4, 5)]);
    assert_eq!(decode(b"\x1b[<0;0;99999999M"), []);
}

#[test]
fn noise_is_dropped_and_the_next_key_is_not() {
    let noise: [&[u8]; 6] =
        [b"\xff", b"\xc3", b"\x1b[0;0R", b"\x1b[?62;c", b"\x1b[99999999999~", b"\x1b[12\x01"];
    for bytes in noise {
        let mut input = bytes.to_vec();
        input.extend_from_slice(b"q");
        let events = decode(&input);
        assert_eq!(events.last(), Some(&pressed(KeyCode::Char('q'), KeyModifiers::NONE)), "{bytes:?}");
    }
    assert_eq!(decode(&[b"\x1b[".as_slice(), &[b'1'; 500]].concat()).len(), 0);
}

proptest! {
    #[test]
    fn how_bytes_are_cut_into_reads_does_not_matter(
        pieces in prop::collection::vec(
            prop_oneof![
                Just(b"\x1b[A".to_vec()), Just(b"\x1b[1;5C".to_vec()), Just(b"\x1b[200~".to_vec()),
                Just(b"\x1b[201~".to_vec()), Just("é🦀".as_bytes().to_vec()), Just(b"\x1b".to_vec()),
                prop::collection::vec(any::<u8>(), 0..6),
            ],
            0..12,
        ),
        size in 1_usize..7,
    ) {
        let bytes = pieces.concat();
        let (mut decoder, mut events) = (Decoder::default(), VecDeque::new());
        for chunk in bytes.chunks(size) {
            decoder.feed(chunk, &mut events);
        }
        decoder.flush(&mut events);
        prop_assert_eq!(Vec::from(events), decode(&bytes));
    }
}
