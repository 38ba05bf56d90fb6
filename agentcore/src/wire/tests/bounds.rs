//! Limits of the memory and time that a client can make the decoder use.

use super::*;
use crate::error::CloseCode;

const MAX: usize = 1 << 20;
const TOO_BIG: Violation = Violation::TooBig { max: MAX };

#[test]
fn a_message_above_the_limit_is_refused_by_its_header() {
    for len in [MAX as u64 + 1, u64::from(u32::MAX), u64::from(u32::MAX) + 1, i64::MAX as u64 - 1, i64::MAX as u64] {
        for first in [FIN | TEXT, FIN | BINARY, TEXT] {
            let header = header(first, len, [1, 2, 3, 4]);
            let mut decoder = Decoder::new(limits());
            assert_eq!(feed(&mut decoder, &header), (vec![], Some(TOO_BIG)), "{len}");
            assert_eq!(decoder.kept(), 0);
            assert_eq!(decode_bytewise(&header), (vec![], Some(TOO_BIG)), "{len}");
        }
    }
    assert_eq!(TOO_BIG.close_code(), CloseCode::Size);
}

#[test]
fn the_limit_itself_is_allowed() {
    let payload = vec![b'x'; MAX];
    assert_eq!(decode(&frame(FIN | BINARY, &payload)), (vec![Seen::Binary(payload.clone())], None));
    let (half, other) = payload.split_at(MAX / 2);
    let fragments = [frame(BINARY, half), frame(FIN | CONTINUATION, other)].concat();
    assert_eq!(decode(&fragments), (vec![Seen::Binary(payload)], None));
}

#[test]
fn fragments_are_limited_by_their_sum() {
    let mut decoder = Decoder::new(limits());
    assert_eq!(feed(&mut decoder, &frame(BINARY, &vec![0; MAX - 10])), (vec![], None));
    // A control frame does not count towards the sum.
    let ping = Seen::Ping(vec![7; 125]);
    assert_eq!(feed(&mut decoder, &frame(FIN | PING, &[7; 125])), (vec![ping], None));
    assert_eq!(feed(&mut decoder, &frame(CONTINUATION, &[0; 10])), (vec![], None));
    assert_eq!(feed(&mut decoder, &header(CONTINUATION, 1, [0; 4])), (vec![], Some(TOO_BIG)));
    assert_eq!(decoder.kept(), 0);

    // Adding the announced length must not overflow.
    let mut decoder = Decoder::new(limited(usize::MAX, 1000));
    assert_eq!(feed(&mut decoder, &frame(BINARY, &[0; 10])), (vec![], None));
    let (_, violation) = feed(&mut decoder, &header(CONTINUATION, i64::MAX as u64, [0; 4]));
    assert_eq!(violation, None);
}

#[test]
fn a_header_that_is_refused_allocates_nothing() {
    let sum_too_big = [frame(BINARY, &[0; 10]), header(CONTINUATION, MAX as u64 - 9, [0; 4])].concat();
    let alone = [MAX as u64 + 1, 1 << 40, i64::MAX as u64].map(|len| (header(FIN | BINARY, len, [1, 2, 3, 4]), 0));
    // The ten bytes of the first fragment are kept in the smallest buffer.
    for (mut stream, kept) in alone.into_iter().chain([(sum_too_big, 1024)]) {
        let mut decoder = Decoder::new(limits());
        let allocated = allocation_counter::measure(|| {
            let mut input = stream.as_mut_slice();
            while let Ok(event) = decoder.next(&mut input) {
                assert_eq!(event, None);
            }
        });
        assert!(allocated.bytes_total <= kept, "{allocated:?}");
    }
}

/// An allocation of the announced size would end the process.
#[test]
fn an_announced_length_is_not_allocated() {
    let mut decoder = Decoder::new(limited(usize::MAX, 1000));
    for len in [i64::MAX as u64, 1 << 62, 1 << 50] {
        assert_eq!(feed(&mut decoder, &header(BINARY, len, [0; 4])), (vec![], None));
        assert_eq!(feed(&mut decoder, b"a few bytes"), (vec![], None));
        assert!(decoder.kept() <= 1024, "{}", decoder.kept());
        decoder = Decoder::new(limited(usize::MAX, 1000));
    }
}

#[test]
fn a_message_in_pieces_takes_at_most_twice_its_bytes() {
    let whole = frame(FIN | BINARY, &vec![1; MAX]);
    let mut decoder = Decoder::new(limits());
    let mut sent = 0;
    for chunk in whole.split_last().unwrap().1.chunks(1000) {
        assert_eq!(feed(&mut decoder, chunk), (vec![], None));
        sent += chunk.len();
        assert!(decoder.kept() <= (2 * sent).clamp(1024, MAX), "{} for {sent}", decoder.kept());
    }
    // A small message takes only the bytes that it needs.
    let mut decoder = Decoder::new(limits());
    assert_eq!(feed(&mut decoder, &frame(FIN | TEXT, &[b'x'; 100])[..50]), (vec![], None));
    assert_eq!(decoder.kept(), 100);
}

#[test]
fn an_idle_connection_keeps_nothing() {
    assert!(size_of::<Decoder>() <= 144, "{}", size_of::<Decoder>());
    let mut decoder = Decoder::new(limits());
    let stream = [
        frame(TEXT, &[b'x'; 50_000]),
        frame(FIN | PING, &[b'p'; 100]),
        frame(FIN | CONTINUATION, &[b'y'; 50_000]),
        frame(FIN | PING, &[b'p'; 100]),
        frame(FIN | TEXT, &[b'z'; 500]),
    ]
    .concat();
    let cuts: Vec<usize> = (1..stream.len()).step_by(37).collect();
    assert_eq!(feed_cut(&mut decoder, &stream, &cuts).0.len(), 4);
    assert_eq!((decoder.kept(), decoder.is_mid_message()), (0, false));
}

/// Each byte is examined a bounded number of times: a million single bytes take well under a second.
#[test]
fn a_message_that_arrives_byte_by_byte_takes_linear_time() {
    let payload = "é".repeat(MAX / 2);
    let stream = frame(FIN | TEXT, payload.as_bytes());
    let began = std::time::Instant::now();
    assert_eq!(decode_bytewise(&stream), (vec![text(&payload)], None));
    assert!(began.elapsed() < std::time::Duration::from_secs(20), "{:?}", began.elapsed());
}

#[test]
fn unfinished_messages_of_all_decoders_share_one_budget() {
    let limits = Arc::new(DecoderLimits::new(MAX, 1000, 3 * MAX / 2));
    let mut decoders: Vec<_> = (0..3).map(|_| Decoder::new(limits.clone())).collect();
    let unfinished = frame(BINARY, &vec![0; MAX - 10]);
    assert_eq!(feed(&mut decoders[0], &unfinished), (vec![], None));
    assert_eq!(feed(&mut decoders[1], &unfinished), (vec![], Some(Violation::TooManyUnfinished)));
    assert_eq!(limits.unfinished(), decoders[0].kept(), "a refused message is not counted");
    assert_eq!(Violation::TooManyUnfinished.close_code(), CloseCode::Again);

    // Messages that are complete in the input and small ones are accepted meanwhile.
    let whole = frame(FIN | BINARY, &vec![1; MAX]);
    assert_eq!(feed(&mut decoders[2], &whole).1, None);
    let small = frame(FIN | BINARY, &[2; 4096]);
    assert_eq!(feed_cut(&mut decoders[2], &small, &[7, 2000]), (vec![Seen::Binary(vec![2; 4096])], None));

    // The end of a message and the end of its client free the memory.
    let (events, violation) = feed(&mut decoders[0], &frame(FIN | CONTINUATION, &[0; 10]));
    assert_eq!((events.len(), violation), (1, None));
    assert_eq!(feed(&mut decoders[0], &frame(FIN | PING, b"")).1, None);
    assert_eq!(limits.unfinished(), 0);
    assert_eq!(feed(&mut decoders[2], &unfinished), (vec![], None));
    drop(decoders);
    assert_eq!(limits.unfinished(), 0);
}
