//! A member's archive, driven as a validator drives it: it decides whom to ask, and what it asks is answered from the
//! members' own share logs.

use super::StorageError;
use super::network::{Block, Ledger, Member};
use salus_archive::{Archive, Config, Effect, Input, JobId, Purpose, ReadError, ShareRefusal, Tip};
use salus_seal::{AskedShare, CheckedShare, OpenedBlock};
use salus_types::{
    Hash, Height, MemberId, SealedShare, ShareStatement, SignedShare, Slot, Validator, ValidatorSet, codec,
};
use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long anything may take before the run is void.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a member answers who asks it for a share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    Honest,
    /// It says that it has none.
    Missing,
    /// It changes a byte of its fragment, and signs that.
    Wrong,
    /// It says nothing.
    Silent,
}

impl Manner {
    /// The faults that are measured.
    pub(super) const FAULTS: [Self; 3] = [Self::Missing, Self::Wrong, Self::Silent];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Honest => "none",
            Self::Missing => "missing",
            Self::Wrong => "wrong",
            Self::Silent => "silent",
        }
    }
}

pub(super) struct Desk<'a> {
    ledger: &'a Ledger,
    /// Who runs the archive: a member of the ledger, or one that has just joined.
    me: &'a Member,
    slot: u16,
    manners: Vec<Manner>,
    validators: ValidatorSet,
    archive: Archive,
    started: Instant,
    inputs: VecDeque<Input>,
    opened: Option<Result<Arc<OpenedBlock>, ReadError>>,
    stored: usize,
    /// Encoded shares that members sent, bytes.
    pub(super) received: usize,
    /// Members that were named for a wrong share.
    pub(super) blamed: usize,
}

impl<'a> Desk<'a> {
    /// The archive of a member that knows nothing of the others' manners yet.
    pub(super) fn new(
        ledger: &'a Ledger,
        me: &'a Member,
        slot: u16,
        manners: Vec<Manner>,
    ) -> Result<Self, StorageError> {
        let config = Config {
            // The operator's limit is not what is measured.
            repair_bytes_per_second: 1 << 40,
            ..Config::new(ledger.chain, MemberId::new(slot), Slot::new(slot))
        };
        let (height, id) = ledger.tip();
        let validators = ledger.validators()?;
        let mut desk = Self {
            ledger,
            me,
            slot,
            manners,
            archive: Archive::new(config, Tip { height, id }, validators.clone()),
            validators,
            started: Instant::now(),
            inputs: VecDeque::new(),
            opened: None,
            stored: 0,
            received: 0,
            blamed: 0,
        };
        let holders = desk.validators.iter().cloned().collect();
        desk.inputs.push_back(Input::Holders(holders));
        let others = (0..ledger.shape.members).filter(|one| *one != slot);
        desk.inputs
            .extend(others.map(|one| Input::Connected(MemberId::new(one))));
        desk.work(|desk| desk.inputs.is_empty())?;
        Ok(desk)
    }

    /// Opens a block as a reader's request does: the own share and as many others as it takes. How long that took.
    pub(super) fn open(&mut self, height: Height) -> Result<(Arc<OpenedBlock>, Duration), StorageError> {
        let block = self
            .ledger
            .block(height)
            .ok_or_else(|| void(format!("there is no block {height}")))?;
        let begun = Instant::now();
        let own = self.me.store.shares.get_block(&block.id)?;
        self.opened = None;
        self.inputs.push_back(Input::Open {
            purpose: Purpose::Read,
            resealed: None,
            job: JobId(height.get()),
            header: Box::new(block.header.clone()),
            own,
        });
        self.work(|desk| desk.opened.is_some())?;
        let took = begun.elapsed();
        let opened = self
            .opened
            .take()
            .ok_or_else(|| void("nothing was opened".into()))??;
        if Hash::of_content(opened.body()) != block.body {
            return Err(StorageError::Void(format!(
                "block {height} opened to another body"
            )));
        }
        Ok((opened, took))
    }

    /// Rebuilds own shares from the other members' and keeps them.
    pub(super) fn repair(&mut self, heights: RangeInclusive<Height>) -> Result<(), StorageError> {
        let count = heights.end().get() - heights.start().get() + 1;
        let wanted = self.stored + usize::try_from(count).unwrap_or(usize::MAX);
        self.inputs.push_back(Input::Missing(vec![heights]));
        self.work(|desk| desk.stored >= wanted)
    }

    fn work(&mut self, done: impl Fn(&Self) -> bool) -> Result<(), StorageError> {
        let begun = Instant::now();
        loop {
            while let Some(input) = self.inputs.pop_front() {
                let effects = self.archive.handle(self.started.elapsed(), input);
                effects
                    .into_iter()
                    .try_for_each(|effect| self.carry_out(effect))?;
            }
            if done(self) {
                return Ok(());
            }
            if begun.elapsed() > PATIENCE {
                return Err(void("the archive came to no end".into()));
            }
            let wake = self.archive.next_wake().unwrap_or_default();
            std::thread::sleep(wake.saturating_sub(self.started.elapsed()).min(PATIENCE));
            self.inputs.push_back(Input::Wake);
        }
    }

    fn carry_out(&mut self, effect: Effect) -> Result<(), StorageError> {
        match effect {
            Effect::AskShare {
                request,
                member,
                height,
                ..
            } => {
                if let Some(result) = self.answer(member, height)? {
                    self.inputs.push_back(Input::Share {
                        request,
                        member,
                        result,
                    });
                }
                Ok(())
            }
            Effect::Opened { block, .. } => {
                self.opened = Some(Ok(block));
                Ok(())
            }
            Effect::Failed { error, .. } => {
                self.opened = Some(Err(error));
                Ok(())
            }
            Effect::NeedHeader { height } => {
                let header = self
                    .ledger
                    .block(height)
                    .map(|block| Box::new(block.header.clone()));
                self.inputs.push_back(Input::Header {
                    height,
                    header,
                    resealed: None,
                });
                Ok(())
            }
            Effect::StoreShare { height, share, .. } => self.store(height, &share),
            Effect::Blame { .. } => {
                self.blamed += 1;
                Ok(())
            }
            Effect::Progress(_) | Effect::Body { .. } => Ok(()),
            // Not shown: an effect may hold a body.
            _ => Err(void(
                "the archive wants something that no reader or repair needs".into(),
            )),
        }
    }

    /// What a member says who is asked for its share; `None` if it says nothing.
    fn answer(
        &mut self,
        member: MemberId,
        height: Height,
    ) -> Result<Option<Result<SignedShare, ShareRefusal>>, StorageError> {
        let place = usize::from(member.get());
        let manner = self.manners.get(place).copied().unwrap_or(Manner::Honest);
        let (Some(holder), Some(validator), Some(block)) = (
            self.ledger.members.get(place),
            self.validators.get(member),
            self.ledger.block(height),
        ) else {
            return Err(void(format!("{member} was asked for a share of {height}")));
        };
        if manner == Manner::Silent {
            return Ok(None);
        }
        let share = holder.store.shares.get_block(&block.id)?;
        let Some(share) = share.filter(|_| manner != Manner::Missing) else {
            return Ok(Some(Err(ShareRefusal::NotHeld)));
        };
        let signed = match manner {
            Manner::Wrong => self.lie(share, validator, block)?,
            _ => self.hand_out(share, validator, block)?,
        };
        self.received += codec::encode(&signed).len();
        Ok(Some(Ok(signed)))
    }

    /// As a validator does: checked, then signed.
    fn hand_out(
        &self,
        share: SealedShare,
        holder: &Validator,
        block: &Block,
    ) -> Result<SignedShare, StorageError> {
        let asked = AskedShare {
            chain: &self.ledger.chain,
            block: block.id,
            dealing: (&block.header).into(),
            holder,
        };
        let checked = CheckedShare::check(share, &block.header).map_err(|error| void(error.to_string()))?;
        Ok(checked.sign(&asked, self.ledger.key(holder.member)?))
    }

    /// A share that is wrong, under a signature that is right.
    fn lie(
        &self,
        mut share: SealedShare,
        holder: &Validator,
        block: &Block,
    ) -> Result<SignedShare, StorageError> {
        if let Some(byte) = share.fragment.first_mut() {
            *byte ^= 1;
        }
        let Block { header, id, .. } = block;
        let statement = ShareStatement::of(&share, header.height, *id, header.share_root, holder.member);
        let signature = statement.sign(self.ledger.key(holder.member)?, &self.ledger.chain);
        Ok(SignedShare { share, signature })
    }

    fn store(&mut self, height: Height, share: &SealedShare) -> Result<(), StorageError> {
        let block = self
            .ledger
            .block(height)
            .filter(|_| share.slot.get() == self.slot);
        let block = block.ok_or_else(|| void(format!("a strange share of {height} was rebuilt")))?;
        self.me
            .store
            .shares
            .put_repaired(&block.header, block.id, None, share)?;
        self.stored += 1;
        Ok(())
    }
}

fn void(what: String) -> StorageError {
    StorageError::Void(what)
}
