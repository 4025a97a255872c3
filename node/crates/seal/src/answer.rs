//! What a holder answers with, and what a wrong answer proves.
//!
//! A holder signs a [`ShareStatement`] with every share it hands out. If the share is wrong, statement and signature
//! convince anyone who has the committed header; if statement and share do not fit together, nobody can tell who spoiled
//! the answer, and nobody is accused.

use crate::{CheckedShare, Layout, ShareError, share_set};
use salus_types::{
    BlockId, ChainId, SealedShare, SecretKey, ShareCommitment, ShareStatement, SignedShare, Validator,
    WrongShare, merkle,
};

/// Which share was asked of whom.
#[derive(Clone, Copy, Debug)]
pub struct AskedShare<'a> {
    /// The network.
    pub chain: &'a ChainId,
    /// The block's id.
    pub block: BlockId,
    /// The dealing that the share belongs to: the header's own, or that of a reseal.
    pub dealing: ShareCommitment,
    /// Who holds the share, in which slot.
    pub holder: &'a Validator,
}

/// Why an answer gives no share.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// The holder signed a wrong share: no honest one does.
    #[error("the holder signed a wrong share: {error}")]
    Wrong {
        /// What is wrong with the share.
        error: ShareError,
        /// Convinces whoever has the header.
        evidence: Box<WrongShare>,
    },
    /// It is no share, and proves nothing: a relay or a disk on the way may have spoiled it.
    #[error("the answer is spoiled, and not provably by the holder: {0}")]
    Spoiled(ShareError),
}

/// Why evidence of a wrong share proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotProven {
    /// It is about another block, another dealing or another holder.
    #[error("the statement is about another block, dealing or holder")]
    OtherQuestion,
    /// No statement has so long a path.
    #[error("the path has {0} siblings")]
    PathTooLong(usize),
    /// The holder did not sign it.
    #[error("the holder's signature does not verify")]
    BadSignature,
    /// The share that the holder signed is the right one.
    #[error("the share that was signed is the right one")]
    RightShare,
}

impl CheckedShare {
    /// Signs the share for handing it out. Whoever made `self` checked the share against the dealing of `asked`, so an
    /// honest holder never signs a wrong one.
    pub fn sign(self, asked: &AskedShare<'_>, key: &SecretKey) -> SignedShare {
        let share = self.into_share();
        let signature = asked.statement(&share).sign(key, asked.chain);
        SignedShare { share, signature }
    }

    /// Checks what a holder answered.
    ///
    /// A right share proves itself, so its signature is not looked at: an honest network pays for none.
    ///
    /// # Errors
    ///
    /// [`AnswerError::Wrong`] if and only if [`verify_wrong_share`] accepts its evidence for the same question.
    pub fn check_answer(answer: SignedShare, asked: &AskedShare<'_>) -> Result<Self, AnswerError> {
        let SignedShare { share, signature } = answer;
        // Hashing is cheap beside moving a fragment through the network, and the share is consumed by its check.
        let statement = asked.statement(&share);
        let error = match Self::check(share, asked.dealing) {
            Ok(checked) if checked.slot() == asked.holder.slot => return Ok(checked),
            Ok(checked) => ShareError::ForeignSlot {
                slot: checked.slot(),
                own: asked.holder.slot,
            },
            Err(error) => error,
        };
        let evidence = Box::new(WrongShare { statement, signature });
        match verify_wrong_share(&evidence, asked) {
            Ok(()) => Err(AnswerError::Wrong { error, evidence }),
            Err(_) => Err(AnswerError::Spoiled(error)),
        }
    }
}

/// Checks that evidence proves a wrong share, given the question that was asked: `dealing` is the one in force of the
/// committed block, and `holder` the member as the chain's state has it. Members keep their slot for as long as they are members, so another
/// slot than the holder's is a fault as well.
///
/// # Errors
///
/// [`NotProven`] says what is missing for a proof.
pub fn verify_wrong_share(evidence: &WrongShare, asked: &AskedShare<'_>) -> Result<(), NotProven> {
    let WrongShare { statement, signature } = evidence;
    if !asked.is_question_of(statement) {
        return Err(NotProven::OtherQuestion);
    }
    if statement.path.len() > ShareStatement::PATH_MAX {
        return Err(NotProven::PathTooLong(statement.path.len()));
    }
    if statement.slot == asked.holder.slot && leads_to_root(statement, &asked.dealing) {
        return Err(NotProven::RightShare);
    }
    statement
        .verify(&asked.holder.key, asked.chain, signature)
        .map_err(|_| NotProven::BadSignature)
}

/// Whether what was stated is a share of the dealing.
fn leads_to_root(statement: &ShareStatement, dealing: &ShareCommitment) -> bool {
    // No committed dealing has a sealing that is refused; if one had, its holders would not be at fault.
    let Ok(layout) = Layout::of(dealing.sealing) else {
        return true;
    };
    let ShareStatement {
        height,
        slot,
        fragment,
        key_share,
        ..
    } = statement;
    let leaf = share_set::leaf(*height, *slot, fragment, key_share);
    layout.index(*slot).is_some_and(|position| {
        merkle::root_of_path(leaf, position, layout.slots(), &statement.path) == Some(dealing.share_root)
    })
}

impl AskedShare<'_> {
    /// What the holder states by answering with this share.
    pub(crate) fn statement(&self, share: &SealedShare) -> ShareStatement {
        let ShareCommitment {
            height, share_root, ..
        } = self.dealing;
        ShareStatement::of(share, height, self.block, share_root, self.holder.member)
    }

    fn is_question_of(&self, statement: &ShareStatement) -> bool {
        statement.height == self.dealing.height
            && statement.block == self.block
            && statement.share_root == self.dealing.share_root
            && statement.member == self.holder.member
    }
}
