//! How code comes to the chain: in parts, checked when the last one is there, forgotten unless it is approved.

use super::contracts::require;
use super::{Governance, Stop};
use crate::{code, system};
use salus_types::codec;
use salus_types::state::{StateKey, StateReader};
use salus_types::{
    CODE_BYTES_MAX, CODE_PART_BYTES, CODE_UPLOADS_MAX, CODE_WAITING_BYTES_MAX, CODE_WAITS_MS, CodeOrigin,
    CodePart, CodeUpload, ContractEvent, ContractId, ContractRefusal, Hash, MemberId, PrincipalId, Status,
    admission_refusal,
};

/// Gas of a byte that is stored until its code is complete.
const STORE_GAS_PER_BYTE: u64 = 10;
/// Gas of a byte of complete code: hashing, checking, compiling and storing it. The largest code takes most of what a
/// transaction may usually ask for.
const ADMISSION_GAS_PER_BYTE: u64 = 50;
/// Uploads that are forgotten with one call, at most: each may be dozens of entries.
const FORGET_MAX: usize = 4;
/// Entries of one part.
const PART_CHUNKS: u16 = 2;
const _: () = assert!(CODE_PART_BYTES == PART_CHUNKS as usize * system::CODE_CHUNK_BYTES);

/// An upload with its place.
struct Upload {
    member: MemberId,
    code_hash: Hash,
    value: CodeUpload,
}

impl Governance<'_, '_, '_> {
    /// Takes a part of code; the last one has the whole code checked and stored.
    pub(super) fn store_part(&mut self, sender: PrincipalId, part: &CodePart) -> Result<CodeUpload, Stop> {
        let member = self.staffs_member(sender)?;
        let hash = &part.code_hash;
        if system::stored_code(self.host.overlay, hash)?.is_some() {
            return Err(ContractRefusal::CodeKnown.into());
        }
        let begun = match part.part {
            0 => self.begin(member, part)?,
            _ => system::upload(self.host.overlay, member, hash)?
                .filter(|upload| self.env.time <= upload.expires)
                .ok_or(ContractRefusal::BadPart)?,
        };
        let offset = usize::from(part.part).saturating_mul(CODE_PART_BYTES);
        let (received, length) = (begun.received as usize, begun.length as usize);
        let expected = length.saturating_sub(offset).min(CODE_PART_BYTES);
        let fits = part.length == begun.length && offset == received && part.bytes.len() == expected;
        require(fits && expected > 0, ContractRefusal::BadPart)?;
        self.charge(STORE_GAS_PER_BYTE.saturating_mul(expected as u64))?;
        let first = u16::from(part.part).saturating_mul(PART_CHUNKS);
        for (number, chunk) in (first..).zip(part.bytes.chunks(system::CODE_CHUNK_BYTES)) {
            let key = system::upload_chunk_key(member, hash, number);
            self.host.overlay.write(key, Some(chunk.to_vec()));
        }
        let received = received.saturating_add(expected);
        let upload = CodeUpload {
            received: u32::try_from(received).unwrap_or(u32::MAX),
            ..begun
        };
        self.write(system::upload_key(member, hash), &upload);
        if upload.is_complete() {
            self.complete(member, hash, &upload)?;
        }
        Ok(upload)
    }

    /// Makes room for an upload, for its own earlier beginning too.
    fn begin(&mut self, member: MemberId, part: &CodePart) -> Result<CodeUpload, Stop> {
        let length = part.length as usize;
        require((1..=CODE_BYTES_MAX).contains(&length), ContractRefusal::BadPart)?;
        let (mut count, mut bytes, mut forgotten) = (0_usize, length, 0_usize);
        for upload in self.uploads()? {
            let again = upload.member == member && upload.code_hash == part.code_hash;
            if again || upload.value.expires < self.env.time && forgotten < FORGET_MAX {
                self.forget(&upload)?;
                forgotten = forgotten.saturating_add(1);
            } else if upload.member == member {
                count = count.saturating_add(1);
                bytes = bytes.saturating_add(upload.value.length as usize);
            }
        }
        require(
            count < CODE_UPLOADS_MAX && bytes <= CODE_WAITING_BYTES_MAX,
            ContractRefusal::TooMuchCode,
        )?;
        Ok(CodeUpload {
            length: part.length,
            received: 0,
            expires: self.env.time.saturating_add(CODE_WAITS_MS),
        })
    }

    /// Checks whole code and puts it where contracts take it from.
    fn complete(&mut self, member: MemberId, hash: &Hash, upload: &CodeUpload) -> Result<(), Stop> {
        self.charge(ADMISSION_GAS_PER_BYTE.saturating_mul(u64::from(upload.length)))?;
        let key = |chunk| system::upload_chunk_key(member, hash, chunk);
        let wasm = system::chunks(self.host.overlay, key)?;
        require(Hash::of_content(&wasm) == *hash, ContractRefusal::BadHash)?;
        let module = self.host.modules.engine().admit(&wasm).map_err(|error| {
            match admission_refusal(error.code()) {
                Some(code) => Stop::Refused(code),
                None => ContractRefusal::BadPart.into(),
            }
        })?;
        self.host.modules.keep(*hash, module);
        self.delete_chunks(key)?;
        code::write(self.host.overlay, hash, &wasm, CodeOrigin::Stored(member));
        self.tell(&ContractEvent::CodeStored {
            code_hash: *hash,
            member,
        });
        Ok(())
    }

    /// Every upload, of all members; there are at most a few for each.
    fn uploads(&self) -> Result<Vec<Upload>, Stop> {
        let prefix = StateKey::new(ContractId::SYSTEM, b"u");
        let (mut uploads, mut after) = (Vec::new(), Vec::new());
        while let Some((key, value)) = self.host.overlay.next(prefix.as_bytes(), &after)? {
            after = key.as_bytes().to_vec();
            uploads.push(
                read_upload(&after, prefix.as_bytes().len(), &value).ok_or(system::damaged("an upload"))?,
            );
        }
        Ok(uploads)
    }

    /// Deletes all that is there of code that nobody approved.
    fn forget(&mut self, upload: &Upload) -> Result<(), Stop> {
        let Upload {
            member,
            code_hash,
            value,
        } = upload;
        self.delete(system::upload_key(*member, code_hash));
        if value.is_complete() {
            self.delete(system::stored_code_key(code_hash));
            self.delete_chunks(|chunk| system::code_key(code_hash, chunk))
        } else {
            self.delete_chunks(|chunk| system::upload_chunk_key(*member, code_hash, chunk))
        }
    }

    fn delete_chunks(&mut self, key: impl Fn(u16) -> StateKey) -> Result<(), Stop> {
        for chunk in 0..=u16::MAX {
            if self.host.overlay.get(&key(chunk))?.is_none() {
                break;
            }
            self.delete(key(chunk));
        }
        Ok(())
    }

    fn charge(&mut self, gas: u64) -> Result<(), Stop> {
        let used = self.gas_used.saturating_add(gas);
        if used > self.gas_limit {
            self.gas_used = self.gas_limit;
            return Err(Stop::Failed(Status::OutOfGas));
        }
        self.gas_used = used;
        Ok(())
    }
}

/// Reads an entry of the kind `u`, whose own key begins after `prefix` bytes.
fn read_upload(key: &[u8], prefix: usize, value: &[u8]) -> Option<Upload> {
    let (member, hash) = key.get(prefix..)?.split_first_chunk()?;
    Some(Upload {
        member: MemberId::new(u16::from_be_bytes(*member)),
        code_hash: Hash::new(hash.try_into().ok()?),
        value: codec::decode_trusted(value).ok()?,
    })
}
