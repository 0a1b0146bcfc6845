//! What processes used, from the operating system.

use std::fs;

/// Nanoseconds of CPU of all threads of some processes.
pub fn cpu_ns(processes: &[u32]) -> u64 {
    processes.iter().map(|process| threads_ns(*process)).sum()
}

fn threads_ns(process: u32) -> u64 {
    let threads = fs::read_dir(format!("/proc/{process}/task")).expect("the process runs");
    let on_cpu = |thread: fs::DirEntry| {
        let text = fs::read_to_string(thread.path().join("schedstat")).expect("the kernel keeps schedstat");
        text.split(' ').next().and_then(|ns| ns.parse::<u64>().ok()).expect("schedstat begins with nanoseconds")
    };
    threads.map(|thread| on_cpu(thread.unwrap())).sum()
}

/// Resident memory of a process, in MiB.
pub fn rss_mib(process: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("the process runs");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a process has memory");
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}

/// The children of a process.
pub fn children(process: u32) -> Vec<u32> {
    let path = format!("/proc/{process}/task/{process}/children");
    fs::read_to_string(path).unwrap_or_default().split_whitespace().map(|id| id.parse().unwrap()).collect()
}
