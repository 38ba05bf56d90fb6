use super::*;
use crate::error::CloseCode;

/// Checks that `bytes` violate the protocol after the events `before`, fed whole and bytewise, and that the violation
/// persists.
#[track_caller]
fn refused(bytes: &[u8], before: &[Seen], code: CloseCode, text: &str) {
    let found = decode(bytes);
    assert_eq!(found.0, before, "{bytes:02x?}");
    let violation = found.1.unwrap();
    assert_eq!((violation.close_code(), violation.to_string().as_str()), (code, text), "{bytes:02x?}");
    assert_eq!(decode_bytewise(bytes), found, "{bytes:02x?}");

    let mut decoder = Decoder::new(limits());
    feed(&mut decoder, bytes);
    assert_eq!(feed(&mut decoder, &frame(FIN | TEXT, b"more")), (vec![], Some(violation)));
    assert_eq!(feed(&mut decoder, b""), (vec![], Some(violation)));
    assert_eq!(decoder.kept(), 0);
}

#[track_caller]
fn protocol_error(bytes: &[u8], text: &str) {
    refused(bytes, &[], CloseCode::Protocol, text);
}

#[test]
fn an_unmasked_frame_is_refused() {
    for bytes in [
        vec![0x81, 0x05, b'H', b'e', b'l', b'l', b'o'],
        vec![0x88, 0x00],
        vec![0x89, 0x01, b'x'],
        vec![0x82, 126, 1, 0, b'x'],
        vec![0x81, 0x00],
    ] {
        protocol_error(&bytes, "a client's frame must be masked");
    }
}

#[test]
fn a_reserved_bit_is_refused() {
    for bit in [0x40, 0x20, 0x10, 0x70] {
        for opcode in [TEXT, BINARY, CLOSE, PING, PONG] {
            protocol_error(&frame(FIN | bit | opcode, b"x"), "a reserved bit is set");
        }
    }
}

#[test]
fn an_unknown_opcode_is_refused() {
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        protocol_error(&frame(FIN | opcode, b"x"), "an unknown opcode");
        protocol_error(&frame(opcode, b""), "an unknown opcode");
    }
}

#[test]
fn a_long_or_fragmented_control_frame_is_refused() {
    for opcode in [CLOSE, PING, PONG] {
        protocol_error(&frame(opcode, b"x"), "a control frame must not be fragmented");
        protocol_error(&frame(FIN | opcode, &[b'x'; 126]), "a control frame has at most 125 bytes");
        protocol_error(&header(FIN | opcode, 70_000, [0; 4]), "a control frame has at most 125 bytes");
        protocol_error(&header(FIN | opcode, i64::MAX as u64, [0; 4]), "a control frame has at most 125 bytes");
    }
}

#[test]
fn frames_out_of_sequence_are_refused() {
    let nothing = "a continuation frame without a message to continue";
    protocol_error(&frame(FIN | CONTINUATION, b"x"), nothing);
    protocol_error(&frame(CONTINUATION, b""), nothing);
    let after = [frame(FIN | TEXT, b"a"), frame(FIN | CONTINUATION, b"b")].concat();
    refused(&after, &[text("a")], CloseCode::Protocol, nothing);
    let after = [frame(TEXT, b"a"), frame(FIN | CONTINUATION, b"b"), frame(FIN | CONTINUATION, b"c")].concat();
    refused(&after, &[text("ab")], CloseCode::Protocol, nothing);

    for second in [TEXT, BINARY, FIN | TEXT, FIN | BINARY] {
        let inside = [frame(TEXT, b"a"), frame(FIN | PING, b"p"), frame(second, b"b")].concat();
        let before = [Seen::Ping(b"p".to_vec())];
        refused(&inside, &before, CloseCode::Protocol, "a new message before the end of the previous one");
    }
}

#[test]
fn a_length_with_its_highest_bit_is_refused() {
    protocol_error(&header(FIN | BINARY, 1 << 63, [0; 4]), "a length has at most 63 bits");
    protocol_error(&header(FIN | TEXT, u64::MAX, [0; 4]), "a length has at most 63 bits");
}

#[test]
fn a_close_frame_with_a_code_that_must_not_be_sent_is_refused() {
    protocol_error(&frame(FIN | CLOSE, b"\x03"), "a close frame with half a code");
    let codes = (0..=999).chain([1004, 1005, 1006, 1015]).chain(1016..=2999).chain(5000..=5100).chain([u16::MAX]);
    for code in codes {
        protocol_error(&frame(FIN | CLOSE, &code.to_be_bytes()), "a close code that must not be sent");
    }
    for reason in [&b"\xff"[..], b"\xc3", b"ok \xed\xa0\x80"] {
        let close = [&1000_u16.to_be_bytes(), reason].concat();
        refused(&frame(FIN | CLOSE, &close), &[], CloseCode::Invalid, "text is not UTF-8");
    }
}

/// Texts that are not UTF-8, each with the position of the byte that proves it; the length for an incomplete text.
const NOT_UTF8: [(&[u8], usize); 12] = [
    (b"\xff", 0),
    (b"ab\x80", 2),
    (b"caf\xe9 au lait", 4),
    (b"\xc0\xaf", 0),
    (b"\xc1\x81", 0),
    (b"\xe0\x80\xaf", 1),
    (b"\xed\xa0\x80 a surrogate", 1),
    (b"\xf0\x80\x80\xaf", 1),
    (b"\xf4\x90\x80\x80", 1),
    (b"\xf5\x80\x80\x80", 0),
    (b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xf4\x90\x80\x80edited", 12),
    (b"the end is missing \xf0\x9f\x8e", 22),
];

#[test]
fn a_text_that_is_not_utf8_is_refused() {
    for (bad, _) in NOT_UTF8 {
        refused(&frame(FIN | TEXT, bad), &[], CloseCode::Invalid, "text is not UTF-8");
        for cut in 0..=bad.len() {
            let fragments = [frame(TEXT, &bad[..cut]), frame(FIN | CONTINUATION, &bad[cut..])].concat();
            refused(&fragments, &[], CloseCode::Invalid, "text is not UTF-8");
        }
        let long = [&b"x".repeat(200), bad].concat();
        refused(&frame(FIN | TEXT, &long), &[], CloseCode::Invalid, "text is not UTF-8");
        assert_eq!(decode(&frame(FIN | BINARY, bad)), (vec![Seen::Binary(bad.to_vec())], None));
    }
}

#[test]
fn bytes_that_are_not_utf8_are_refused_before_the_frame_is_complete() {
    for (bad, at) in NOT_UTF8.into_iter().filter(|(bad, at)| at < &bad.len()) {
        let mask = [1, 2, 3, 4];
        // The header announces more than the stream holds.
        let mut stream = header(FIN | TEXT, 1000, mask);
        stream.extend(masked(bad, mask));
        let start = stream.len() - bad.len();
        for step in [1, 2, 3, 100] {
            let mut decoder = Decoder::new(limits());
            assert_eq!(feed(&mut decoder, &stream[..start]), (vec![], None));
            let mut refused_at = None;
            for (index, chunk) in stream[start..].chunks(step).enumerate() {
                if feed(&mut decoder, chunk).1.is_some() {
                    refused_at = Some(index);
                    break;
                }
            }
            assert_eq!(refused_at, Some(at / step), "{bad:02x?} in steps of {step}");
        }
        // The same holds for a fragment that is not the last.
        let (seen, violation) = decode(&frame(TEXT, bad));
        assert_eq!((seen, violation), (vec![], Some(Violation::Utf8)));
    }
}

#[test]
fn a_message_with_too_many_frames_is_refused() {
    let mut decoder = Decoder::new(limited(1 << 20, 3));
    let three = [frame(TEXT, b"a"), frame(CONTINUATION, b""), frame(FIN | CONTINUATION, b"b")].concat();
    assert_eq!(feed(&mut decoder, &[three.clone(), three].concat()), (vec![text("ab"), text("ab")], None));
    let four =
        [frame(TEXT, b"a"), frame(CONTINUATION, b""), frame(CONTINUATION, b""), frame(CONTINUATION, b"")].concat();
    let (seen, violation) = feed(&mut decoder, &four);
    assert_eq!((seen, violation), (vec![], Some(Violation::TooManyFrames { max: 3 })));
    assert_eq!(violation.map(Violation::close_code), Some(CloseCode::Policy));
}
