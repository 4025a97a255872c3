//! What the system's allocator does with the buffers of blocks.

/// Bytes of the largest buffer that is kept. glibc then holds at most twice as much free memory in each of its arenas.
const KEPT: usize = 4 << 20;

/// Makes the allocator keep freed buffers of up to 4 MiB for the next block. Whoever starts a process of validators or
/// of benches calls it first; again does no harm.
///
/// Sealing or checking a block takes a few buffers of its length for some milliseconds. glibc maps such buffers afresh
/// and unmaps them when they are freed, and the kernel then clears every page at its first touch: a third of all the
/// time at 1 MiB. Its threshold rises to the largest mapped buffer that was ever freed (`M_MMAP_THRESHOLD` in
/// mallopt(3)), so one is freed here; nothing touches it, so it costs nothing. Other allocators take no notice.
pub fn keep_block_buffers() {
    drop(std::hint::black_box(Vec::<u8>::with_capacity(KEPT)));
}
