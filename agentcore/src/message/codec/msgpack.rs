//! Writes envelopes as MessagePack, and decodes their data or converts them from and to JSON.

use rmp_serde::config::{DefaultConfig, HumanReadableConfig};
use rmp_serde::decode::ReadRefReader;
use rmp_serde::{Deserializer, Serializer};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::EncodeError;
use super::scan::MAX_DEPTH;
use crate::error::{Error, excerpt};

type MsgpackDeserializer<'a> = Deserializer<ReadRefReader<'a, [u8]>, HumanReadableConfig<DefaultConfig>>;

/// Returns a deserializer for which ids and times are strings, as in JSON, so that data have one shape in both codecs.
fn reader(bytes: &[u8]) -> MsgpackDeserializer<'_> {
    let mut reader = Deserializer::from_read_ref(bytes).with_human_readable();
    reader.set_max_depth(MAX_DEPTH);
    reader
}

pub(super) fn decode<T: DeserializeOwned>(data: &[u8]) -> Option<T> {
    T::deserialize(&mut reader(data)).ok()
}

pub(super) fn to_json(data: &[u8]) -> Result<String, Error> {
    let mut json = Vec::new();
    serde_transcode::transcode(&mut reader(data), &mut serde_json::Serializer::new(&mut json))
        .map_err(|error| Error::validation(format!("the data cannot be read: {}", excerpt(&error.to_string(), 200))))?;
    String::from_utf8(json).map_err(|_| Error::validation("the data has a string that is not UTF-8"))
}

pub(super) fn write<T: Serialize>(
    buffer: &mut Vec<u8>,
    message_type: &str,
    reference: Option<u64>,
    data: Option<&T>,
) -> Result<(), rmp_serde::encode::Error> {
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

pub(super) fn write_data<T: Serialize>(buffer: &mut Vec<u8>, data: &T) -> Result<(), rmp_serde::encode::Error> {
    data.serialize(&mut Serializer::new(buffer).with_human_readable().with_struct_map())
}

pub(super) fn transcode(json: &[u8], buffer: &mut Vec<u8>) -> Result<(), EncodeError> {
    let mut read = serde_json::Deserializer::from_slice(json);
    serde_transcode::transcode(&mut read, &mut Serializer::new(buffer).with_human_readable().with_struct_map())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::message::codec::tests::values;

    proptest! {
        #[test]
        fn a_value_survives_the_conversion_to_messagepack_and_back(value in values()) {
            let mut packed = Vec::new();
            transcode(value.to_string().as_bytes(), &mut packed).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Value>(&to_json(&packed).unwrap()).unwrap(), &value);
            prop_assert_eq!(&decode::<Value>(&packed).unwrap(), &value);
        }
    }
}
