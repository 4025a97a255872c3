use super::{Announcement, Dealt, Scheme, SchemeError, Secrecy, kth, padded};
use crate::code::{self, Code, Shape};
use crate::share_set::PrimitiveError;
use crate::{DataKey, Parameters};
use salus_types::Slot;

/// Many secrets in one polynomial (Chen, Wu, Chang and Chen, "Light Repository Blockchain System with Multisecret
/// Sharing for Industrial Big Data", Security and Communication Networks 2019, article 9060756): the block is cut
/// into k pieces, which are shared together, so that each of the n shares is a k-th of the block and any k open it.
///
/// What is implemented, byte by byte over GF(2^8): the polynomial P of degree below k with `P(i)` the byte of piece i
/// for i = 0 to k - 1; the share of slot j is `P(k + j)`. No random coefficient goes in: with one, a share would no
/// longer be a k-th. Field and points are ours, the ones of the Reed-Solomon code of suite 1, whose parity this is;
/// the paper's own choice of either changes neither cost nor secrecy, since its shares too are linear in the pieces.
#[derive(Clone, Copy, Debug)]
pub struct Multisecret;

impl Scheme for Multisecret {
    fn name(&self) -> &'static str {
        "multisecret"
    }

    fn secrecy(&self) -> Secrecy {
        Secrecy::NotGuaranteed
    }

    fn statement(&self) -> &'static str {
        "each share is a linear function of the body: it confirms a guess, and shows one piece to who knows the others"
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
        let shares = (shape.threshold..shape.slots)
            .map(|index| code.fragment(&data, index))
            .collect::<Option<_>>()
            .ok_or(PrimitiveError::Defect("Reed-Solomon"))?;
        Ok(Dealt { announcement, shares })
    }

    fn open(&self, announcement: &Announcement, shares: &[(Slot, &[u8])]) -> Result<Vec<u8>, SchemeError> {
        let mut pieces = announcement.choose(self, shares)?;
        if announcement.body_length() == 0 {
            return Ok(Vec::new());
        }
        let shape = shape(announcement.body_length(), announcement.parameters());
        for (index, _) in &mut pieces {
            *index = index.saturating_add(shape.threshold);
        }
        let mut body = code::decode(shape, &pieces)?;
        body.truncate(announcement.body_length());
        Ok(body)
    }
}

/// The pieces and the shares together, of which only the shares are stored. The body is not empty.
fn shape(body: usize, parameters: Parameters) -> Shape {
    Shape {
        threshold: usize::from(parameters.threshold()),
        slots: usize::from(parameters.threshold().saturating_add(parameters.slots())),
        width: kth(body, parameters),
    }
}
