//! How much memory this process took.
//!
//! `getrusage` would need `unsafe` code, and the crates that read the same file (`procfs`) bring a parser of all of `/proc`.

/// Largest resident set of this process so far, in bytes; `None` where the system does not tell.
///
/// # Source
/// `VmHWM` of `/proc/self/status` on Linux, see proc(5).
#[must_use]
pub fn peak_rss_bytes() -> Option<u64> {
    peak_of(&std::fs::read_to_string("/proc/self/status").ok()?)
}

/// The line is `VmHWM:     1234 kB`, in units of 1024 bytes.
fn peak_of(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_found_and_understood() {
        assert_eq!(
            peak_of("Name:\tcml\nVmPeak:\t   9 kB\nVmHWM:\t    1234 kB\nVmRSS:\t 1 kB\n"),
            Some(1_263_616)
        );
        for status in ["", "VmHWM:\t12 MB", "VmHWM:\t-1 kB", "VmHWM:", "VmHWM:\t99999999999999999999 kB"] {
            assert_eq!(peak_of(status), None, "{status}");
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_peak_covers_what_was_touched_and_given_back() {
        let before = peak_rss_bytes().expect("Linux tells");
        // Twice the peak so far: whatever other tests give back meanwhile, this cannot fit below it.
        let bytes = vec![1u8; 2 * before as usize];
        assert_eq!(bytes.iter().map(|byte| u64::from(*byte)).sum::<u64>(), bytes.len() as u64);
        drop(bytes);
        assert!(peak_rss_bytes().expect("Linux tells") >= 2 * before);
    }
}
