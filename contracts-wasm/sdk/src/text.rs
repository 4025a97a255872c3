use alloc::string::String;
use bincode::de::{BorrowDecoder, Decoder};
use bincode::error::DecodeError;
use bincode::{BorrowDecode, Decode, Encode};
use salus_abi::schema::{Schema, Type};

/// Text of at most `MAX` bytes; longer text is malformed.
///
/// What a contract stores stands in the clear on the chain, for ever: codes and numbers, never text about a person.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Encode)]
pub struct Text<const MAX: usize>(String);

impl<const MAX: usize> Text<MAX> {
    /// The text, if it is short enough.
    pub fn new(text: String) -> Option<Self> {
        (text.len() <= MAX).then_some(Self(text))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize, Context> Decode<Context> for Text<MAX> {
    fn decode<D: Decoder<Context = Context>>(decoder: &mut D) -> Result<Self, DecodeError> {
        Self::new(Decode::decode(decoder)?).ok_or(DecodeError::LimitExceeded)
    }
}

impl<'de, const MAX: usize, Context> BorrowDecode<'de, Context> for Text<MAX> {
    fn borrow_decode<D: BorrowDecoder<'de, Context = Context>>(decoder: &mut D) -> Result<Self, DecodeError> {
        Self::new(Decode::decode(decoder)?).ok_or(DecodeError::LimitExceeded)
    }
}

impl<const MAX: usize> Schema for Text<MAX> {
    const TYPE: &'static Type = &Type::Text(salus_abi::schema::small(MAX));
}

#[cfg(test)]
mod tests {
    use super::*;
    use salus_abi::codec;

    #[test]
    fn longer_text_is_malformed() {
        let four = codec::encode(&Text::<4>::new("four".into()));
        assert_eq!(
            codec::decode::<Option<Text<4>>>(&four, 9)
                .unwrap()
                .unwrap()
                .as_str(),
            "four"
        );
        assert!(codec::decode::<Option<Text<3>>>(&four, 9).is_err());
        assert_eq!(Text::<3>::new("four".into()), None);
    }
}
