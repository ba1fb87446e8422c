//! Memory for keys, in huge pages where the system gives them.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

/// Size of a huge page on x86-64 and on most other systems.
const PAGE: usize = 2 << 20;

/// Element types for which all bits zero is a value, and that need no drop.
pub trait Plain: Copy + sealed::Sealed {}
impl Plain for u64 {}
impl Plain for f64 {}

mod sealed {
    pub trait Sealed {}
    impl Sealed for u64 {}
    impl Sealed for f64 {}
}

/// A slice of fixed length, zero at first, aligned to huge pages and advised to be held in them.
///
/// Blind rotation and keyswitch read a hundred megabytes of key at a stride that the address translation of 4 KiB pages
/// cannot follow: measured 8 to 16 % of the time of a bootstrap.
pub struct HugeBuffer<T: Plain> {
    start: NonNull<T>,
    length: usize,
}

// SAFETY: the buffer owns its memory alone, and `T` is plain data.
unsafe impl<T: Plain + Send> Send for HugeBuffer<T> {}
// SAFETY: as above; shared access only reads.
unsafe impl<T: Plain + Sync> Sync for HugeBuffer<T> {}

impl<T: Plain> HugeBuffer<T> {
    /// Allocates `length` zeros.
    #[must_use]
    pub fn zeros(length: usize) -> Self {
        let layout = Self::layout(length);
        // SAFETY: the layout has at least one page, so it is not empty.
        let raw = unsafe { alloc(layout) };
        let Some(start) = NonNull::new(raw.cast::<T>()) else { handle_alloc_error(layout) };
        #[cfg(target_os = "linux")]
        // SAFETY: the range is ours, starts at a page and ends at one. The advice changes no content; if the system does
        // not know it, the pages stay small, so the result is of no interest.
        unsafe {
            libc::madvise(raw.cast(), layout.size(), libc::MADV_HUGEPAGE);
        }
        // SAFETY: the range was just allocated, and zero is a value of every `Plain` type.
        unsafe { raw.write_bytes(0, layout.size()) };
        Self { start, length }
    }

    fn layout(length: usize) -> Layout {
        let bytes = length.checked_mul(size_of::<T>()).expect("a key fits into memory").max(1);
        Layout::from_size_align(bytes.next_multiple_of(PAGE), PAGE).expect("a key fits into memory")
    }
}

impl<T: Plain> Drop for HugeBuffer<T> {
    fn drop(&mut self) {
        // SAFETY: allocated in `zeros` with the same layout.
        unsafe { dealloc(self.start.as_ptr().cast(), Self::layout(self.length)) };
    }
}

impl<T: Plain> Deref for HugeBuffer<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: `length` elements were allocated and initialised in `zeros`.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.length) }
    }
}

impl<T: Plain> DerefMut for HugeBuffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `deref`; the exclusive borrow of the buffer is that of its content.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.length) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_zero_and_writable() {
        for length in [0, 1, 1000, PAGE / 8, PAGE / 8 + 1] {
            let mut buffer = HugeBuffer::<u64>::zeros(length);
            assert_eq!(buffer.len(), length);
            assert!(buffer.iter().all(|word| *word == 0));
            buffer.iter_mut().zip(0..).for_each(|(word, index)| *word = index);
            assert_eq!(buffer.iter().sum::<u64>(), (0..length as u64).sum::<u64>());
        }
    }
}
