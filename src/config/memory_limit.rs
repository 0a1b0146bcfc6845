//! How much memory this process may use, as far as the operating system tells.

use std::fs;
use std::path::Path;

/// The assumed limit where none is told, in bytes.
const FALLBACK: u64 = 4 << 30;

/// The least of the limits of the control group, the address space and the machine, in bytes.
pub fn memory_limit() -> u64 {
    let control_group = control_groups().iter().filter_map(|path| number(&fs::read_to_string(path).ok()?)).min();
    let address_space = fs::read_to_string("/proc/self/limits").ok().and_then(|text| address_space(&text));
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| machine(&text));
    [control_group, address_space, machine].into_iter().flatten().min().unwrap_or(FALLBACK)
}

/// The files that may hold a limit: those of version 2 on the way to the process' own group, and that of version 1.
fn control_groups() -> Vec<String> {
    let root = "/sys/fs/cgroup";
    let mut files = vec![format!("{root}/memory.max"), format!("{root}/memory/memory.limit_in_bytes")];
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    if let Some(path) = own.lines().find_map(|line| line.strip_prefix("0::/")) {
        let ancestors = Path::new(path).ancestors().filter_map(Path::to_str).filter(|path| !path.is_empty());
        files.extend(ancestors.map(|path| format!("{root}/{path}/memory.max")));
    }
    files
}

/// A number of bytes; `max` and what version 1 writes for no limit are none.
fn number(text: &str) -> Option<u64> {
    text.trim().parse().ok().filter(|bytes| (1..1 << 60).contains(bytes))
}

fn address_space(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max address space"))?;
    number(line.split_whitespace().next()?)
}

fn machine(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    number(line.split_whitespace().next()?)?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_as_linux_writes_them() {
        assert_eq!(number("268435456\n"), Some(268_435_456));
        assert_eq!(number("max\n"), None);
        assert_eq!(number("9223372036854771712\n"), None);
        let limits = "Limit  Soft Limit  Hard Limit  Units\nMax address space         1468006400  unlimited  bytes\n";
        assert_eq!(address_space(limits), Some(1_468_006_400));
        assert_eq!(address_space("Max address space         unlimited            unlimited            bytes\n"), None);
        assert_eq!(machine("MemTotal:        2048 kB\nMemFree: 1 kB\n"), Some(2 << 20));
        assert!(memory_limit() > 0);
    }
}
