//! Answers to the question for a share, and what is held against their senders.

use super::*;
use salus_types::{SecretKey, SignedShare, Validator, WrongShare};

fn key(number: u8) -> SecretKey {
    SecretKey::from_seed(&[number; 32])
}

fn holder(slot: u16) -> Validator {
    Validator {
        member: MemberId::new(slot),
        key: key(1).public(),
        slot: Slot::new(slot),
    }
}

struct Question {
    chain: ChainId,
    header: Header,
    holder: Validator,
    sealed: SealedBlock,
}

impl Question {
    fn new() -> Self {
        let (sealed, header) = sealed(b"a body", 2, 8);
        Self {
            chain: chain(),
            header,
            holder: holder(3),
            sealed,
        }
    }

    fn asked(&self) -> AskedShare<'_> {
        AskedShare {
            chain: &self.chain,
            block: self.header.id(&self.chain),
            dealing: (&self.header).into(),
            holder: &self.holder,
        }
    }

    fn honest(&self) -> SignedShare {
        let checked = CheckedShare::check(share(&self.sealed, 3), &self.header).unwrap();
        checked.sign(&self.asked(), &key(1))
    }

    /// Another share than the right one, under the holder's signature.
    fn lie(&self) -> SignedShare {
        let mut share = share(&self.sealed, 3);
        share.fragment[0] ^= 1;
        let signature = self.asked().statement(&share).sign(&key(1), &self.chain);
        SignedShare { share, signature }
    }

    fn evidence(&self) -> WrongShare {
        match CheckedShare::check_answer(self.lie(), &self.asked()) {
            Err(AnswerError::Wrong { evidence, .. }) => *evidence,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn an_honest_answer_is_a_share_and_never_evidence() {
    let question = Question::new();
    let honest = question.honest();
    let statement = question.asked().statement(&honest.share);
    let signature = honest.signature;
    assert!(CheckedShare::check_answer(honest, &question.asked()).is_ok());
    assert_eq!(
        verify_wrong_share(&WrongShare { statement, signature }, &question.asked()),
        Err(NotProven::RightShare)
    );
}

#[test]
fn a_signed_wrong_share_convinces_whoever_has_the_header_and_nobody_about_anything_else() {
    let mut question = Question::new();
    let evidence = question.evidence();
    assert_eq!(verify_wrong_share(&evidence, &question.asked()), Ok(()));
    let length = salus_types::codec::encode(&evidence).len();
    assert!(length < 500, "{length} bytes");

    question.holder = holder(4);
    let refused = Err(NotProven::OtherQuestion);
    assert_eq!(verify_wrong_share(&evidence, &question.asked()), refused);
    question.holder = holder(3);
    question.header.gas_used = Gas::new(1);
    assert_eq!(
        verify_wrong_share(&evidence, &question.asked()),
        refused,
        "another block"
    );
    let other = Question::new();
    assert_eq!(
        verify_wrong_share(&evidence, &other.asked()),
        refused,
        "another dealing"
    );
}

#[test]
fn nobody_else_can_put_words_into_a_holders_mouth() {
    let question = Question::new();
    let mut evidence = question.evidence();
    evidence.signature = evidence.statement.sign(&key(2), &question.chain);
    let refused = Err(NotProven::BadSignature);
    assert_eq!(verify_wrong_share(&evidence, &question.asked()), refused);
    // An honest statement in which the accuser changed what it does not like.
    let honest = question.honest();
    let mut statement = question.asked().statement(&honest.share);
    statement.fragment = Hash::ZERO;
    let forged = WrongShare {
        statement,
        signature: honest.signature,
    };
    assert_eq!(verify_wrong_share(&forged, &question.asked()), refused);
}

#[test]
fn what_was_spoiled_on_the_way_accuses_nobody() {
    let question = Question::new();
    let mut spoiled = question.honest();
    spoiled.share.fragment[0] ^= 1;
    let answer = CheckedShare::check_answer(spoiled, &question.asked());
    assert!(matches!(
        answer,
        Err(AnswerError::Spoiled(ShareError::WrongPath(_)))
    ));
    // The height is not part of what is signed: it is that of the question.
    let mut stamped = question.honest();
    stamped.share.height = Height::new(1);
    let answer = CheckedShare::check_answer(stamped, &question.asked());
    assert!(matches!(
        answer,
        Err(AnswerError::Spoiled(ShareError::WrongHeight { .. }))
    ));
}

#[test]
fn a_right_share_of_anothers_slot_is_wrong() {
    let question = Question::new();
    let share = share(&question.sealed, 5);
    let signature = question.asked().statement(&share).sign(&key(1), &question.chain);
    let answer = CheckedShare::check_answer(SignedShare { share, signature }, &question.asked());
    let Err(AnswerError::Wrong { error, evidence }) = answer else {
        panic!("{answer:?}");
    };
    let (slot, own) = (Slot::new(5), Slot::new(3));
    assert_eq!(error, ShareError::ForeignSlot { slot, own });
    assert_eq!(verify_wrong_share(&evidence, &question.asked()), Ok(()));
}

#[test]
fn a_path_too_long_to_be_one_is_no_statement() {
    let question = Question::new();
    let mut share = share(&question.sealed, 3);
    share.path = vec![Hash::ZERO; 9];
    let signature = question.asked().statement(&share).sign(&key(1), &question.chain);
    let answer = CheckedShare::check_answer(SignedShare { share, signature }, &question.asked());
    assert!(matches!(answer, Err(AnswerError::Spoiled(_))), "{answer:?}");
}
