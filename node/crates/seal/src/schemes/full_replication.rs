use super::{Announcement, Dealt, Scheme, SchemeError, Secrecy};
use crate::{DataKey, Parameters};
use salus_types::Slot;

/// Every node stores the body, as in every ordinary chain. It knows no threshold: each share opens alone.
#[derive(Clone, Copy, Debug)]
pub struct FullReplication;

impl Scheme for FullReplication {
    fn name(&self) -> &'static str {
        "full-replication"
    }

    fn secrecy(&self) -> Secrecy {
        Secrecy::None
    }

    fn statement(&self) -> &'static str {
        "every share is the body"
    }

    fn needed(&self, _: Parameters) -> u16 {
        1
    }

    fn share_length(&self, body: usize, _: Parameters, _: Slot) -> usize {
        body
    }

    fn deal(&self, body: &[u8], parameters: Parameters, _: DataKey) -> Result<Dealt, SchemeError> {
        Ok(Dealt {
            announcement: Announcement::plain(body, parameters)?,
            shares: vec![body.to_vec(); usize::from(parameters.slots())],
        })
    }

    fn open(&self, announcement: &Announcement, shares: &[(Slot, &[u8])]) -> Result<Vec<u8>, SchemeError> {
        let chosen = announcement.choose(self, shares)?;
        Ok(chosen.first().map(|(_, body)| body.to_vec()).unwrap_or_default())
    }
}
