//! The allocator and the panic handler of a guest.
//!
//! Every call runs in a fresh instance that is dropped afterwards, so memory is handed out upwards and taken back
//! only when it was the last that was handed out (a growing `Vec`, a short-lived buffer). Measured against dlmalloc:
//! 10 KB less code in every contract, 13 % less gas for a permitted retrieve. The host's limit on a guest's memory
//! bounds what is left behind.
#![allow(
    unsafe_code,
    reason = "an allocator hands out raw memory; each block says why it is sound"
)]

use core::alloc::{GlobalAlloc, Layout};
use core::cell::Cell;

const PAGE: usize = 64 << 10;

struct Bump {
    /// The first free byte; 0 before the first allocation.
    next: Cell<usize>,
    /// The end of the memory that the guest owns.
    end: Cell<usize>,
}

// SAFETY: a guest has one thread.
unsafe impl Sync for Bump {}

#[global_allocator]
static MEMORY: Bump = Bump {
    next: Cell::new(0),
    end: Cell::new(0),
};

unsafe extern "C" {
    /// Set by the linker to the end of the guest's static data and stack.
    static __heap_base: u8;
}

impl Bump {
    /// Grows the memory until it reaches `needed`; false if the host refuses.
    fn reach(&self, needed: usize) -> bool {
        if needed <= self.end.get() {
            return true;
        }
        let pages = needed.saturating_sub(self.end.get()).div_ceil(PAGE);
        let before = core::arch::wasm32::memory_grow::<0>(pages);
        if before == usize::MAX {
            return false;
        }
        self.end.set(before.saturating_add(pages).saturating_mul(PAGE));
        true
    }
}

// SAFETY: blocks never overlap, since `next` only moves back over the block that was handed out last; they lie
// between `__heap_base` and the end of memory, and start where `layout` wants.
unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if self.next.get() == 0 {
            self.next.set((&raw const __heap_base).addr());
            self.end
                .set(core::arch::wasm32::memory_size::<0>().saturating_mul(PAGE));
        }
        let start = self.next.get().next_multiple_of(layout.align());
        let Some(stop) = start.checked_add(layout.size()).filter(|stop| self.reach(*stop)) else {
            return core::ptr::null_mut();
        };
        self.next.set(stop);
        core::ptr::with_exposed_provenance_mut(start)
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if block.addr().wrapping_add(layout.size()) == self.next.get() {
            self.next.set(block.addr());
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let start = block.addr();
        let last = start.wrapping_add(layout.size()) == self.next.get();
        if last && start.checked_add(size).is_some_and(|stop| self.reach(stop)) {
            self.next.set(start.wrapping_add(size));
            return block;
        }
        if size <= layout.size() {
            return block;
        }
        // SAFETY: the new size with the old alignment is a layout, as `realloc`'s caller promises.
        let new = unsafe { self.alloc(Layout::from_size_align_unchecked(size, layout.align())) };
        if !new.is_null() {
            // SAFETY: both blocks are valid for the old size and do not overlap: the new one is fresh.
            unsafe { core::ptr::copy_nonoverlapping(block, new, layout.size()) };
        }
        new
    }
}

/// A panic is a trap: the host drops the call's writes. No text is formatted, so none is linked.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
