use super::{Announcement, Dealt, Scheme, SchemeError, Secrecy, kth, padded};
use crate::code::{self, Code, Shape};
use crate::share_set::PrimitiveError;
use crate::{DataKey, Parameters};
use salus_types::Slot;

/// A systematic Reed-Solomon code over the body as it is (Qi, Zhang, Jin and Zhou, "BFT-Store: Storage Partition for
/// Permissioned Blockchain via Erasure Coding", ICDE 2020): the first k nodes store plain pieces, the others parity.
///
/// BFT-Store codes groups of blocks; here, as in suite 1, each block is coded by itself. The cost per byte is the same.
#[derive(Clone, Copy, Debug)]
pub struct RsOnly;

impl Scheme for RsOnly {
    fn name(&self) -> &'static str {
        "rs-only"
    }

    fn secrecy(&self) -> Secrecy {
        Secrecy::NotGuaranteed
    }

    fn statement(&self) -> &'static str {
        "the shares of the first k slots are plain pieces of the body, all others linear functions of it"
    }

    fn share_length(&self, body: usize, parameters: Parameters, _: Slot) -> usize {
        kth(body, parameters)
    }

    fn deal(&self, body: &[u8], parameters: Parameters, _: DataKey) -> Result<Dealt, SchemeError> {
        let announcement = Announcement::plain(body, parameters)?;
        if body.is_empty() {
            return Ok(Dealt {
                announcement,
                shares: vec![Vec::new(); usize::from(parameters.slots())],
            });
        }
        let shape = shape(body.len(), parameters);
        let (code, data) = (Code::new(shape)?, padded(body, parameters));
        let shares = (0..shape.slots)
            .map(|index| code.fragment(&data, index))
            .collect::<Option<_>>()
            .ok_or(PrimitiveError::Defect("Reed-Solomon"))?;
        Ok(Dealt { announcement, shares })
    }

    fn open(&self, announcement: &Announcement, shares: &[(Slot, &[u8])]) -> Result<Vec<u8>, SchemeError> {
        let pieces = announcement.choose(self, shares)?;
        if announcement.body_length() == 0 {
            return Ok(Vec::new());
        }
        let shape = shape(announcement.body_length(), announcement.parameters());
        let mut body = code::decode(shape, &pieces)?;
        body.truncate(announcement.body_length());
        Ok(body)
    }
}

/// Of a body that is not empty.
fn shape(body: usize, parameters: Parameters) -> Shape {
    Shape {
        threshold: usize::from(parameters.threshold()),
        slots: usize::from(parameters.slots()),
        width: kth(body, parameters),
    }
}
