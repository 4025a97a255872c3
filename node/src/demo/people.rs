//! The people of the demo, each with keys of their own and a session at the hospital they belong to.

use super::network::Network;
use crate::cli::{CliError, linkage_key};
use crate::session::Session;
use salus_client::{Identity, Signer, address_text, keystore};
use salus_types::abi::registry::{PatientAddress, Role};
use salus_types::{MemberId, PrincipalId};

/// Where the patient lives: a coarse area code.
const AREA: u16 = 310;

/// Everybody who acts.
pub(super) struct People {
    pub(super) manager: Session,
    pub(super) patient: Session,
    /// Treats the patient, at the first hospital.
    pub(super) doctor: Session,
    /// Works at the second hospital and has no grant.
    pub(super) other_doctor: Session,
    pub(super) address: PatientAddress,
}

impl People {
    /// Registers them all, through their hospitals.
    pub(super) async fn register(network: &Network) -> Result<Self, CliError> {
        let admin = staff(network, Role::Admin, 0)?;
        let other_admin = staff(network, Role::Admin, 1)?;
        let manager = enrol(&admin, Role::Manager, None).await?;
        // A medical record number never leaves the hospital; its pseudonym under the hospital's own key does.
        let number = format!(
            "MRN-{}",
            data_encoding::HEXLOWER.encode(&crate::random_bytes()[..6])
        );
        let address = linkage_key(manager.signer().identity())
            .address(AREA, &number)
            .map_err(|error| CliError::Demo(error.to_string()))?;
        let patient = enrol(&manager, Role::Patient, Some(address)).await?;
        let doctor = enrol(&manager, Role::Doctor, None).await?;
        let other_doctor = enrol(&other_admin, Role::Doctor, None).await?;
        Ok(Self {
            manager,
            patient,
            doctor,
            other_doctor,
            address,
        })
    }

    pub(super) fn address_text(&self) -> String {
        address_text(&self.address)
    }

    /// Signatures of everything they sent.
    pub(super) fn signatures(&self) -> Vec<[u8; 64]> {
        let all = [&self.manager, &self.patient, &self.doctor, &self.other_doctor];
        all.iter().flat_map(|session| session.signatures()).collect()
    }
}

/// A session of somebody whom the genesis registered.
fn staff(network: &Network, role: Role, member: u16) -> Result<Session, CliError> {
    let layout = &network.layout;
    let wanted = MemberId::new(member);
    let found = layout
        .people
        .iter()
        .find(|(_, its_role, its_member, _)| *its_role == role && *its_member == wanted);
    let (number, _, _, path) =
        found.ok_or_else(|| CliError::Demo(format!("no {role:?} at member {member}")))?;
    let file = std::fs::read(path).map_err(|error| CliError::file(path, error))?;
    let identity =
        keystore::decrypt(&file, &layout.passphrase).map_err(|error| CliError::file(path, error))?;
    let signer = Signer::new(layout.genesis.chain_id(), PrincipalId::new(*number), identity);
    Ok(Session::new(network.remote(usize::from(member))?, signer))
}

/// Registers somebody new; the session is at the same hospital as the one who registers.
async fn enrol(by: &Session, role: Role, address: Option<PatientAddress>) -> Result<Session, CliError> {
    let identity = Identity::from_seed(&crate::random_bytes());
    let keys = identity.public();
    let (receipt, _) = by
        .send_successfully(|signer, terms| signer.add_user(&keys, role, address, terms))
        .await?;
    let principal: PrincipalId = receipt.output()?;
    Ok(Session::new(
        by.remote().clone(),
        Signer::new(*by.signer().chain(), principal, identity),
    ))
}
