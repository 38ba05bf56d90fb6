//! Writes envelopes as MessagePack, and decodes their data.

use rmp_serde::Serializer;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::read::PackedReader;
use super::{EncodeError, json, pack};

pub(super) fn decode<T: DeserializeOwned>(data: &[u8]) -> Option<T> {
    T::deserialize(&mut PackedReader::new(data)).ok()
}

pub(super) fn write<T: Serialize>(
    buffer: &mut Vec<u8>,
    message_type: &str,
    reference: Option<u64>,
    data: Option<&T>,
) -> Result<(), EncodeError> {
    let keys = 1 + u32::from(reference.is_some()) + u32::from(data.is_some());
    rmp::encode::write_map_len(buffer, keys)?;
    rmp::encode::write_str(buffer, "type")?;
    rmp::encode::write_str(buffer, message_type)?;
    if let Some(reference) = reference {
        rmp::encode::write_str(buffer, "ref")?;
        rmp::encode::write_uint(buffer, reference)?;
    }
    if let Some(data) = data {
        rmp::encode::write_str(buffer, "data")?;
        write_data(buffer, data)?;
    }
    Ok(())
}

/// Returns the type of an envelope that [`write`] wrote.
pub(super) fn type_of(envelope: &[u8]) -> Option<&str> {
    let (map, rest) = envelope.split_first()?;
    let rest = (map & 0xf0 == 0x80).then(|| rest.strip_prefix(b"\xa4type"))??;
    let (len, text) = match rest {
        [0xd9, len, text @ ..] => (usize::from(*len), text),
        [fix @ 0xa0..=0xbf, text @ ..] => (usize::from(fix & 0x1f), text),
        _ => return None,
    };
    std::str::from_utf8(text.get(..len)?).ok()
}

pub(super) fn write_data<T: Serialize>(buffer: &mut Vec<u8>, data: &T) -> Result<(), EncodeError> {
    let start = buffer.len();
    data.serialize(&mut Serializer::new(&mut *buffer).with_human_readable().with_struct_map())?;
    if json::has_private(buffer.get(start..).unwrap_or_default()) {
        buffer.truncate(start);
        buffer.extend(pack::pack_data(&serde_json::to_vec(data)?)?.0);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::message::codec::tests::values;

    #[test]
    fn serde_jsons_own_types_are_values_in_messagepack() {
        let raw: Box<serde_json::value::RawValue> = serde_json::from_str(r#"{"a":[1,2.5]}"#).unwrap();
        let mut packed = Vec::new();
        write_data(&mut packed, &[&raw]).unwrap();
        assert_eq!(decode::<Value>(&packed).unwrap(), serde_json::json!([{ "a": [1, 2.5] }]));
        let read: [Box<serde_json::value::RawValue>; 1] = decode(&packed).unwrap();
        assert_eq!(read[0].get(), raw.get());
    }

    proptest! {
        #[test]
        fn a_value_survives_the_conversion_to_messagepack_and_back(value in values()) {
            let (packed, is_exact) = pack::pack_data(value.to_string().as_bytes()).unwrap();
            prop_assert!(is_exact);
            prop_assert_eq!(&decode::<Value>(&packed).unwrap(), &value);
        }
    }
}
