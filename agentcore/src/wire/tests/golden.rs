use super::*;

/// The examples of RFC 6455 5.7 that a client may send.
#[test]
fn the_examples_of_the_rfc_are_decoded() {
    let hello = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    assert_eq!(decode(&hello), (vec![text("Hello")], None));

    let ping = [0x89, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    assert_eq!(decode(&ping), (vec![Seen::Ping(b"Hello".to_vec())], None));

    let pong = [0x8a, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    assert_eq!(decode(&pong), (vec![Seen::Pong], None));

    let fragments = [0x01, 0x83, 0, 0, 0, 0, 0x48, 0x65, 0x6c, 0x80, 0x82, 0, 0, 0, 0, 0x6c, 0x6f];
    assert_eq!(decode(&fragments), (vec![text("Hello")], None));
}

#[test]
fn each_form_of_the_length_is_read() {
    for len in [0, 1, 7, 8, 9, 125, 126, 127, 1000, 65535, 65536, 100_000] {
        let payload: Vec<u8> = (0..len).map(|i: u32| i.to_le_bytes()[0]).collect();
        assert_eq!(decode(&frame(FIN | BINARY, &payload)), (vec![Seen::Binary(payload)], None), "{len}");
    }
}

/// RFC 6455 5.2 demands the shortest form, but a longer one is unambiguous.
#[test]
fn a_length_in_a_longer_form_than_needed_is_read() {
    let short = [0x81, 0x80 | 126, 0, 2, 0, 0, 0, 0, b'h', b'i'];
    assert_eq!(decode(&short), (vec![text("hi")], None));
    let long = [0x81, 0x80 | 127, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, b'h', b'i'];
    assert_eq!(decode(&long), (vec![text("hi")], None));
    assert_eq!(decode_bytewise(&long), (vec![text("hi")], None));
}

#[test]
fn a_stream_cut_anywhere_decodes_to_the_same() {
    let mut stream = frame(FIN | TEXT, "Grüße, 世界 🎉".as_bytes());
    stream.extend(frame(TEXT, "half an é: \u{e9}".as_bytes().split_last().unwrap().1));
    stream.extend(frame(FIN | PING, b"are you there?"));
    stream.extend(frame(CONTINUATION, b""));
    stream.extend(frame(FIN | CONTINUATION, &[0xA9, b'!']));
    stream.extend(frame(FIN | BINARY, &[0xFF; 300]));
    stream.extend(frame(FIN | PONG, b""));
    stream.extend(frame(FIN | TEXT, b""));
    stream.extend(frame(FIN | CLOSE, b"\x03\xe8bye"));
    let expected = vec![
        text("Grüße, 世界 🎉"),
        Seen::Ping(b"are you there?".to_vec()),
        text("half an é: é!"),
        Seen::Binary(vec![0xFF; 300]),
        Seen::Pong,
        text(""),
        Seen::Close(Some((1000, "bye".to_owned()))),
    ];
    assert_eq!(decode(&stream), (expected.clone(), None));
    assert_eq!(decode_bytewise(&stream), (expected.clone(), None));
    for first in 0..=stream.len() {
        for second in [first, first + 1, first + 2, first + 7, first + 20] {
            let cuts = [first, second.min(stream.len())];
            assert_eq!(feed_cut(&mut Decoder::new(limits()), &stream, &cuts), (expected.clone(), None), "{cuts:?}");
        }
    }
}

#[test]
fn empty_messages_may_have_any_number_of_frames() {
    let mut stream = frame(TEXT, b"");
    for _ in 0..10 {
        stream.extend(frame(CONTINUATION, b""));
    }
    stream.extend(frame(FIN | CONTINUATION, b""));
    stream.extend(frame(BINARY, b""));
    stream.extend(frame(FIN | CONTINUATION, b"x"));
    let expected = vec![text(""), Seen::Binary(b"x".to_vec())];
    assert_eq!(decode(&stream), (expected.clone(), None));
    assert_eq!(decode_bytewise(&stream), (expected, None));
}

#[test]
fn close_frames_with_sendable_codes_are_decoded() {
    assert_eq!(decode(&frame(FIN | CLOSE, b"")), (vec![Seen::Close(None)], None));
    for code in [1000_u16, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999] {
        let close = frame(FIN | CLOSE, &code.to_be_bytes());
        assert_eq!(decode(&close), (vec![Seen::Close(Some((code, String::new())))], None));
    }
    let mut longest = 1000_u16.to_be_bytes().to_vec();
    longest.extend([b'x'; 123]);
    assert_eq!(decode(&frame(FIN | CLOSE, &longest)), (vec![Seen::Close(Some((1000, "x".repeat(123))))], None));
}

#[test]
fn the_decoder_knows_whether_a_message_has_begun() {
    let stream = [frame(TEXT, b"a"), frame(FIN | PING, b""), frame(FIN | CONTINUATION, b"b")].concat();
    let mut decoder = Decoder::new(limits());
    assert!(!decoder.is_mid_message());
    for (index, byte) in stream.iter().enumerate() {
        let (_, violation) = feed(&mut decoder, &[*byte]);
        assert_eq!((decoder.is_mid_message(), violation), (index + 1 < stream.len(), None), "{index}");
    }
}
