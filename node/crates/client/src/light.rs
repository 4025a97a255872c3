//! Following the chain by headers and certificates alone.

use salus_types::codec::{self, Decode, DecodeError, Encode};
use salus_types::state::StateProofError;
use salus_types::{
    BlockId, CertificateError, ChainId, CommitCertificate, Hash, Header, Height, Receipt, TransactionId,
    ValidatorSet, merkle,
};

/// Bytes of an encoded receipt proof, at most: a receipt of the largest output and events, and its path.
const PROOF_LENGTH_MAX: usize = 128 << 10;

/// Follows one network. It starts from the validators of the genesis, or from a header that its owner trusts.
///
/// It believes what two thirds of the validators of a height signed. Validators that left long ago could sign another
/// history up to the height where they left; a client that was away for long should resume from a recent header.
#[derive(Clone, Debug)]
pub struct LightClient {
    chain: ChainId,
    validators: ValidatorSet,
    tip: Option<TrustedHeader>,
}

/// A header that a quorum decided, or an ancestor of one. Only a [`LightClient`] makes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedHeader {
    chain: ChainId,
    header: Header,
    id: BlockId,
}

/// Proof that a transaction had a receipt in a block.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ReceiptProof {
    /// Which transaction.
    pub transaction: TransactionId,
    /// What it did.
    pub receipt: Receipt,
    /// Its place in the block, from 0.
    pub index: u32,
    /// Transactions in the block.
    pub count: u32,
    /// Siblings from the receipt's leaf up to the receipts root.
    pub path: Vec<Hash>,
}

/// Why something is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LightError {
    /// The header is not after the newest one.
    #[error("header {offered} is not after the newest known one, {tip}")]
    NotNewer {
        /// The header's height.
        offered: Height,
        /// The newest known height.
        tip: Height,
    },
    /// The header's parent is another block than the one known.
    #[error("header {0} does not follow the block known before it")]
    BrokenLink(Height),
    /// Other validators decide that height than the ones known here.
    #[error(
        "header {0} is decided by validators not known here; fetch the header where they changed, and the new set"
    )]
    UnknownValidators(Height),
    /// A validator set is not the one that the newest header announces.
    #[error("these are not the next validators that the newest header announces")]
    WrongValidators,
    /// The certificate is of another block.
    #[error("the certificate is of another block")]
    OtherBlock,
    /// The certificate proves nothing.
    #[error("the certificate proves nothing: {0}")]
    Certificate(#[from] CertificateError),
    /// The bytes are not a proof.
    #[error("not a proof: {0}")]
    Malformed(#[from] DecodeError),
    /// The proof does not lead to the receipts root in the header.
    #[error("the proof does not lead to the receipts root in header {0}")]
    WrongProof(Height),
    /// The proof does not lead to the state root in the header.
    #[error("the state after block {height} does not hold what is claimed: {error}")]
    WrongState {
        /// The header's height.
        height: Height,
        /// What is wrong with the proof.
        error: StateProofError,
    },
    /// The entry is proven, but is of another type: a later version of the contract wrote it.
    #[error("the state's entry cannot be read: {0}; use a later version of this software")]
    UnknownEntry(DecodeError),
}

impl LightClient {
    /// Starts before the first block, from the validators of the genesis whose hash is `chain`.
    pub const fn new(chain: ChainId, validators: ValidatorSet) -> Self {
        Self {
            chain,
            validators,
            tip: None,
        }
    }

    /// Starts from a header that its owner trusts for a reason of its own (stored after checking, read from a
    /// printed checkpoint), and the validators that decide the height after it.
    pub fn resume(chain: ChainId, header: Header, next: ValidatorSet) -> Result<Self, LightError> {
        if next.hash(&chain) != header.next_validators {
            return Err(LightError::WrongValidators);
        }
        Ok(Self {
            chain,
            validators: next,
            tip: Some(TrustedHeader::new(chain, header)),
        })
    }

    /// The newest header.
    pub const fn tip(&self) -> Option<&TrustedHeader> {
        self.tip.as_ref()
    }

    /// Takes a later header with the certificate that decided it. Heights may be skipped as long as the validators stay
    /// the same. On an error nothing changes.
    pub fn advance(
        &mut self,
        header: Header,
        certificate: &CommitCertificate,
    ) -> Result<&TrustedHeader, LightError> {
        let height = header.height;
        let known = self.tip.as_ref().map_or(Height::ZERO, |tip| tip.header.height);
        if height <= known {
            return Err(LightError::NotNewer {
                offered: height,
                tip: known,
            });
        }
        let parent = self.tip.as_ref().map_or(BlockId::new(Hash::ZERO), |tip| tip.id);
        if height == known.next() && header.parent != parent {
            return Err(LightError::BrokenLink(height));
        }
        // Once the newest header announces others, those known here decide nothing more.
        let validators = self.validators.hash(&self.chain);
        let announced = self.tip.as_ref().map(|tip| tip.header.next_validators);
        if header.validators != validators || announced.is_some_and(|next| next != validators) {
            return Err(LightError::UnknownValidators(height));
        }
        let trusted = TrustedHeader::new(self.chain, header);
        if certificate.height != height || certificate.block != trusted.id {
            return Err(LightError::OtherBlock);
        }
        certificate.verify(&self.validators, &self.chain)?;
        Ok(self.tip.insert(trusted))
    }

    /// Takes the validators that the newest header announces for the height after it.
    pub fn change_validators(&mut self, next: ValidatorSet) -> Result<(), LightError> {
        let announced = self.tip.as_ref().map(|tip| tip.header.next_validators);
        if announced != Some(next.hash(&self.chain)) {
            return Err(LightError::WrongValidators);
        }
        self.validators = next;
        Ok(())
    }

    /// Believes headers that lead up to the newest one without a gap: `headers` ascend, and the newest one's
    /// parent is the last of them. Needs no certificates: each header names its parent by hash.
    pub fn ancestors(&self, headers: Vec<Header>) -> Result<Vec<TrustedHeader>, LightError> {
        let trusted: Vec<TrustedHeader> = headers
            .into_iter()
            .map(|header| TrustedHeader::new(self.chain, header))
            .collect();
        let mut child = self.tip.as_ref();
        for ancestor in trusted.iter().rev() {
            let linked = child.is_some_and(|child| {
                child.header.parent == ancestor.id && child.header.height == ancestor.header.height.next()
            });
            if !linked {
                return Err(LightError::BrokenLink(ancestor.header.height));
            }
            child = Some(ancestor);
        }
        Ok(trusted)
    }
}

impl TrustedHeader {
    fn new(chain: ChainId, header: Header) -> Self {
        let id = header.id(&chain);
        Self { chain, header, id }
    }

    /// The header.
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The block's id.
    pub const fn id(&self) -> BlockId {
        self.id
    }

    /// Checks that a transaction had the receipt in the proof, in this block.
    pub fn check_receipt<'a>(&self, proof: &'a ReceiptProof) -> Result<&'a Receipt, LightError> {
        let wrong = LightError::WrongProof(self.header.height);
        let place = |number| usize::try_from(number).map_err(|_| wrong);
        let leaf = proof.receipt.leaf(&self.chain, proof.transaction);
        let root = merkle::root_of_path(leaf, place(proof.index)?, place(proof.count)?, &proof.path);
        if root == Some(self.header.receipts_root) {
            Ok(&proof.receipt)
        } else {
            Err(wrong)
        }
    }
}

impl ReceiptProof {
    /// Proves the receipt at `index` of a block's; `None` if there is none.
    pub fn new(chain: &ChainId, receipts: &[(TransactionId, Receipt)], index: usize) -> Option<Self> {
        let leaves: Vec<Hash> = receipts
            .iter()
            .map(|(id, receipt)| receipt.leaf(chain, *id))
            .collect();
        let (transaction, receipt) = receipts.get(index)?;
        Some(Self {
            transaction: *transaction,
            receipt: receipt.clone(),
            index: u32::try_from(index).ok()?,
            count: u32::try_from(receipts.len()).ok()?,
            path: merkle::path(&leaves, index)?,
        })
    }

    /// Its canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// Reads one from its canonical bytes; nothing about it is checked yet.
    pub fn decode(bytes: &[u8]) -> Result<Self, LightError> {
        Ok(codec::decode(bytes, PROOF_LENGTH_MAX)?)
    }
}
