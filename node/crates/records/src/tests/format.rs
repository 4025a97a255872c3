//! Golden vectors: every format that is stored, sent or signed. If one of these fails, old records no longer open.

use super::*;
use crate::{envelope, piece};
use salus_types::codec;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

fn golden() -> Scene {
    Scene::new(
        b"{\"resourceType\":\"Observation\"}",
        4,
        Thresholds::for_pieces(4),
    )
}

#[test]
fn header() {
    let scene = golden();
    assert_eq!(
        hex(&codec::encode(scene.sealed.header())),
        concat!(
            "01a7e6536e47c19bf6692fe2391e8bb068f5ede85b35e148645a0954fe3ce5d738070b2815f4ed781fae66bf",
            "4acc2190ce431343ceb190a43f78b21dc2588ca70b62026b93e6b7c59acdda14a7ad4b1a340df7957005e8d9",
            "90c23546a382cd976fdf6021020204",
        )
    );
    let hash = "eea9d596cf5ace02e524b33317dbada329fdb272e63c4c90291715fe52f4c36b";
    assert_eq!(scene.sealed.header().hash().to_string(), hash);
}

#[test]
fn root_and_identifier() {
    let sealed = golden().sealed;
    let root = "83ddb8464d8b26f3d0e4fda808ec15b948956cce1d04e0aec47b9b462922e02f";
    assert_eq!(sealed.root().to_string(), root);
    // base32(01 55 1e 20 digest), computed by hand.
    let cid = "bafkr4iav6twxqh5om27uvtbbsdhege2dz2yzbjb7pczb3qsyrstqwyqcnm";
    assert_eq!(sealed.cid(), cid);
    assert_eq!(digest_of_cid(cid), Ok(sealed.header().digest));
    assert_eq!(digest_of_cid(&cid[..40]), Err(CidError::Malformed));
    assert_eq!(digest_of_cid("a record"), Err(CidError::Malformed));
    // An identifier of SHA2-256.
    let sha = "bafkreigdnooydv7yf6ktefjw2ssxjq5ffwgqvwcubi5nzp4ljb7vfoehs4";
    assert_eq!(digest_of_cid(sha), Err(CidError::OtherKind));
}

#[test]
fn pieces() {
    let encoded: Vec<Vec<u8>> = golden().sealed.pieces().iter().map(Piece::encode).collect();
    let lengths: Vec<usize> = encoded.iter().map(Vec::len).collect();
    assert_eq!(lengths, [810; 4]);
    let hashes: Vec<String> = encoded
        .iter()
        .map(|bytes| Hash::of_content(bytes).to_string())
        .collect();
    assert_eq!(
        hashes,
        [
            "252210f38702bc39f30092fb5db7fc76125067dbd02157e30da1c00c0a2bbe29",
            "020efce2eb1068caed08e85c78b05906c55d9df11c099392abcaa452330e5f52",
            "87b25cc62a4bffffb9dccb62e2684a415b38a2f61623dac020d171cebf958946",
            "d61d8eb68368fa234371ac6d0330ace15f690c0756f87869d3267e88c27dc9f2",
        ]
    );
    // The front of the last piece: header, member, position, commitment, sealed key share, path.
    assert_eq!(
        hex(&encoded[3][..330]),
        concat!(
            "01a7e6536e47c19bf6692fe2391e8bb068f5ede85b35e148645a0954fe3ce5d738070b2815f4ed781fae66bf",
            "4acc2190ce431343ceb190a43f78b21dc2588ca70b62026b93e6b7c59acdda14a7ad4b1a340df7957005e8d9",
            "90c23546a382cd976fdf60210202040a030d483098b671296be206ff2dcebde48d11b529807f9c2c88520457",
            "e400a9b6d289a0cbbb1d5b42b249dc5989213ebc6c284ec6f71278ea04546028398b0d795978c892fb39432d",
            "4cfb77c9ceaa8a131c3c76fd686aa0182bf3ab9c5f004e3a3a4fa9a6581416cdb1ec8a45dc8dc0cdc9f50211",
            "39fb94a896daea825a265ca4d23c7a630f378483d95b97d99cbce610d26e2449a1110c7fd308220a902a6214",
            "1850d98748ff83da2e60c7e7c72c784ea45b4afb020c8cddd7fdf669fff60bc431abb851bb0c39797c924b88",
            "686e8a38b96e3fa0f92b001e0303932fe1a0b83c5b1f",
        )
    );
}

#[test]
fn stored_receipt() {
    let receipt = golden().stored(3).receipt(&SecretKey::from_seed(&[77; 32]));
    assert_eq!(
        hex(&codec::encode(&receipt)),
        concat!(
            "0a",
            "d5275214e719d0ddb1eec4852add0fbe1369ba827fabb1278b1c1d9f3b532be7",
            "be89714f5efbb9e72cc706d143ca499deed4d3e076ba8e6d352ef6a94c957a01"
        )
    );
}

#[test]
fn released_piece() {
    let released = golden().release(3).encode();
    assert_eq!(released.len(), 874);
    let hash = "92e4ee569bcb70b4bc121d6694dc3a6aaca9a91d87384ad04f1b11b14508ffd6";
    assert_eq!(Hash::of_content(&released).to_string(), hash);
}

#[test]
fn read_request() {
    let key = SecretKey::from_seed(&[201; 32]);
    assert_eq!(
        hex(&request().sign(&key, &chain()).encode()),
        concat!(
            "07030dfd000001a0c4506c00126792effc82db26803244f574756e3599dad0f7029cfc16b459c6cf43dc78f9",
            "76e04c396e7d907ad20cd5b2667b4547d75ca4bbc64a2a4f9bc1a4398d192403",
        )
    );
    let hash = "e59144780feecf017217c53bc5b63bf70b10e90885a3e9d5c3dd7cda693a7b33";
    assert_eq!(request().hash(&chain()).to_string(), hash);
}

/// Computed from RFC 9180 alone, in Python over X25519, HMAC-SHA256 and AES-GCM of another library.
#[test]
fn keys_and_sealed_key_shares_follow_rfc_9180() {
    let public = "41852320ff367495fa522c94cb83af391e4e89018392725bbf2098dd931bc424";
    assert_eq!(release_secret(1).public().to_string(), public);
    let public = "4ffdcaaaa59fd938a7c69c9f2c42cf93d8ed95c918903752f3f230bbe593f930";
    assert_eq!(
        EncryptionSecret::from_seed(&[200; 32]).public().to_string(),
        public
    );

    let sealed = unhex(concat!(
        "0001566477145eb68bc33f7014eecad5b9c78950bab64cbadbd0cf17fdcefe227b8892268d18bc2c957fc5c7",
        "008185b40e414816b4d674e094d1ef5abdc4b70b1adad0f6acfc04c336cb19f019b8c2bc72",
    ));
    let header = Hash::new(std::array::from_fn(|index| u8::try_from(index).unwrap()));
    let info = piece::storing_info(&header, member(1));
    let share = envelope::open(release_secret(1).private(), &info, &sealed.try_into().unwrap()).unwrap();
    let mut expected = [0xc3; 33];
    expected[0] = 2;
    assert_eq!(*share, expected);
}
