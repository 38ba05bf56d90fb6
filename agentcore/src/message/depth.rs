//! How deep data are nested, without decoding them.

use super::RawData;
use super::codec::{Codec, packed_is_deeper};

impl RawData<'_> {
    /// Whether objects and arrays stand in each other more than `levels` deep; `{"a": [1]}` has two levels.
    #[must_use]
    pub fn is_deeper_than(&self, levels: usize) -> bool {
        match self.codec() {
            Codec::Json => json_is_deeper(self.as_bytes(), levels),
            Codec::MessagePack => packed_is_deeper(self.as_bytes(), levels),
        }
    }
}

/// The text is JSON: whoever read the envelope has seen that.
fn json_is_deeper(text: &[u8], levels: usize) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in text {
        match (in_string, *byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => in_string = !in_string,
            (false, b'{' | b'[') => {
                depth += 1;
                if depth > levels {
                    return true;
                }
            }
            (false, b'}' | b']') => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_objects_and_arrays_outside_of_texts_are_levels() {
        for (text, levels) in [
            ("7", 0),
            ("{}", 1),
            (r#"{"a":[1,[2]],"b":{}}"#, 3),
            (r#"[[],[],[[]]]"#, 3),
            (r#"{"a":"[[[{{\"[[","b\\":"]]"}"#, 1),
            (r#"["\\",["\\\"["]]"#, 2),
        ] {
            assert!(!json_is_deeper(text.as_bytes(), levels), "{text}");
            assert!(levels == 0 || json_is_deeper(text.as_bytes(), levels - 1), "{text}");
        }
        assert!(json_is_deeper("[".repeat(1 << 20).as_bytes(), 1 << 10));
    }
}
