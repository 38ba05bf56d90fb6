use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

/// A message and the frames that carry it.
#[derive(Debug, Clone)]
struct Sent {
    text: Option<String>,
    data: Vec<u8>,
    cuts: Vec<Index>,
    /// Control frames between the fragments, each with the fragment that it precedes.
    controls: Vec<(Index, u8, Vec<u8>)>,
    mask: [u8; 4],
}

fn sent() -> impl Strategy<Value = Sent> {
    let content = prop_oneof![
        ".{0,40}".prop_map(|text| (Some(text.clone()), text.into_bytes())),
        "[aé世🎉]{0,300}".prop_map(|text| (Some(text.clone()), text.into_bytes())),
        prop::collection::vec(any::<u8>(), 0..400).prop_map(|data| (None, data)),
        (60_000..70_000_usize).prop_map(|len| (None, vec![0x5A; len])),
    ];
    let control = (any::<Index>(), prop_oneof![Just(PING), Just(PONG)], prop::collection::vec(any::<u8>(), 0..=125));
    let cuts = prop::collection::vec(any::<Index>(), 0..4);
    (content, cuts, prop::collection::vec(control, 0..3), any::<[u8; 4]>())
        .prop_map(|((text, data), cuts, controls, mask)| Sent { text, data, cuts, controls, mask })
}

impl Sent {
    /// Appends its frames to the stream, and the expected events to `seen`.
    fn frames(&self, stream: &mut Vec<u8>, seen: &mut Vec<Seen>) {
        let mut cuts: Vec<usize> = self.cuts.iter().map(|cut| cut.index(self.data.len() + 1)).collect();
        cuts.extend([0, self.data.len()]);
        cuts.sort_unstable();
        let fragments = cuts.len() - 1;
        for (number, range) in cuts.windows(2).enumerate() {
            for (before, opcode, payload) in &self.controls {
                if before.index(fragments) == number {
                    stream.extend(frame_masked(FIN | opcode, payload, self.mask));
                    seen.push(if *opcode == PING { Seen::Ping(payload.clone()) } else { Seen::Pong });
                }
            }
            let opcode = match (number, &self.text) {
                (0, Some(_)) => TEXT,
                (0, None) => BINARY,
                _ => CONTINUATION,
            };
            let fin = if number + 1 == fragments { FIN } else { 0 };
            stream.extend(frame_masked(fin | opcode, &self.data[range[0]..range[1]], self.mask));
        }
        seen.push(self.text.clone().map_or_else(|| Seen::Binary(self.data.clone()), Seen::Text));
    }
}

fn stream_of(messages: &[Sent]) -> (Vec<u8>, Vec<Seen>) {
    let (mut stream, mut seen) = (Vec::new(), Vec::new());
    for message in messages {
        message.frames(&mut stream, &mut seen);
    }
    (stream, seen)
}

fn positions(cuts: &[Index], len: usize) -> Vec<usize> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(len + 1)).collect();
    cuts.sort_unstable();
    cuts
}

proptest! {
    #[test]
    fn messages_are_decoded_as_they_were_sent(
        messages in prop::collection::vec(sent(), 0..6),
        cuts in prop::collection::vec(any::<Index>(), 0..40),
    ) {
        let (stream, expected) = stream_of(&messages);
        prop_assert_eq!(decode(&stream), (expected.clone(), None));
        let mut decoder = Decoder::new(limits());
        let cut = feed_cut(&mut decoder, &stream, &positions(&cuts, stream.len()));
        prop_assert_eq!(cut, (expected, None));
        prop_assert_eq!((decoder.kept(), decoder.is_mid_message()), (0, false));
    }

    #[test]
    fn a_damaged_stream_ends_the_same_way_however_it_is_cut(
        messages in prop::collection::vec(sent(), 1..4),
        damage in prop::collection::vec((any::<Index>(), any::<u8>()), 1..4),
        keep in any::<Index>(),
        cuts in prop::collection::vec(any::<Index>(), 0..20),
    ) {
        let (mut stream, _) = stream_of(&messages);
        for (at, byte) in damage {
            let at = at.index(stream.len());
            stream[at] ^= byte;
        }
        stream.truncate(keep.index(stream.len() + 1));
        let cut = feed_cut(&mut Decoder::new(limits()), &stream, &positions(&cuts, stream.len()));
        prop_assert_eq!(cut, decode(&stream));
    }

    #[test]
    fn any_bytes_are_decoded_within_the_bounds(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        cuts in prop::collection::vec(any::<Index>(), 0..20),
        max_message in 0..200_usize,
        max_frames in 0..4_u32,
    ) {
        let limits = limited(max_message, max_frames);
        let mut decoder = Decoder::new(limits.clone());
        let whole = feed(&mut decoder, &bytes);
        prop_assert!(whole.0.len() <= bytes.len());
        prop_assert!(decoder.kept() <= 1024 + 125);
        let cut = feed_cut(&mut Decoder::new(limits), &bytes, &positions(&cuts, bytes.len()));
        prop_assert_eq!(cut, whole);
    }
}
