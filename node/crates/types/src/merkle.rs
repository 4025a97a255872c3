//! A binary Merkle tree over hashes (RFC 6962 style: leaves and nodes are hashed with different prefixes,
//! an odd node moves up unchanged), with inclusion paths.

use crate::Hash;

const NODE: u8 = 0x01;

/// The hash over two neighbours.
pub(crate) fn node(left: &Hash, right: &Hash) -> Hash {
    let mut hasher = blake3::Hasher::new();
    hasher
        .update(&[NODE])
        .update(left.as_bytes())
        .update(right.as_bytes());
    Hash::new(*hasher.finalize().as_bytes())
}

fn parents(level: &[Hash]) -> Vec<Hash> {
    level
        .chunks(2)
        .filter_map(|pair| match pair {
            [left, right] => Some(node(left, right)),
            [odd] => Some(*odd),
            _ => None,
        })
        .collect()
}

/// The root over leaves; [`Hash::ZERO`] over none. Leaves must be hashes of prefixed or tagged bytes.
pub fn root(leaves: &[Hash]) -> Hash {
    let mut level = leaves.to_vec();
    while level.len() > 1 {
        level = parents(&level);
    }
    level.first().copied().unwrap_or(Hash::ZERO)
}

/// The siblings from the leaf at `index` up to the root; `None` if there is no such leaf.
pub fn path(leaves: &[Hash], index: usize) -> Option<Vec<Hash>> {
    leaves.get(index)?;
    let mut siblings = Vec::new();
    let (mut level, mut index) = (leaves.to_vec(), index);
    while level.len() > 1 {
        if let Some(sibling) = level.get(index ^ 1) {
            siblings.push(*sibling);
        }
        level = parents(&level);
        index >>= 1;
    }
    Some(siblings)
}

/// The root that a leaf at `index` of `count` leaves and its siblings lead to; `None` if the path has the wrong length.
pub fn root_of_path(leaf: Hash, index: usize, count: usize, siblings: &[Hash]) -> Option<Hash> {
    if index >= count {
        return None;
    }
    let (mut hash, mut index, mut width) = (leaf, index, count);
    let mut siblings = siblings.iter();
    while width > 1 {
        if index ^ 1 < width {
            let sibling = siblings.next()?;
            hash = if index & 1 == 0 {
                node(&hash, sibling)
            } else {
                node(sibling, &hash)
            };
        }
        index >>= 1;
        width = width.div_ceil(2);
    }
    siblings.next().is_none().then_some(hash)
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "small numbers in tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_leaf_leads_to_the_root_and_nothing_else_does(count in 1usize..40, pick in 0usize..40, wrong in 0usize..40) {
            let leaves: Vec<Hash> = (0..count).map(|i| Hash::of_content(&i.to_be_bytes())).collect();
            let index = pick % count;
            let path = path(&leaves, index).unwrap();
            prop_assert_eq!(root_of_path(leaves[index], index, count, &path), Some(root(&leaves)));
            let other = wrong % count;
            if other != index {
                prop_assert_ne!(root_of_path(leaves[index], other, count, &path), Some(root(&leaves)));
                prop_assert_ne!(root_of_path(leaves[other], index, count, &path), Some(root(&leaves)));
            }
        }
    }

    #[test]
    fn no_leaves_have_a_zero_root_and_no_paths() {
        assert_eq!(root(&[]), Hash::ZERO);
        assert_eq!(path(&[], 0), None);
        assert_eq!(root_of_path(Hash::ZERO, 0, 0, &[]), None);
    }
}
