//! CPU time of processes, from `/proc`.

use std::fs;
use std::time::Duration;

/// Kernel ticks in a second. 100 on every Linux that Dermaga is built for.
const TICKS: u64 = 100;

/// What a process, its living children and those it has waited for have used so far, in user and in kernel mode, all
/// their threads together.
pub fn of_family(parent: u32) -> Option<Duration> {
    let fields = stat(parent)?;
    let mut used: Duration = (11..15).map(|at| time(&fields, at)).sum();
    for entry in fs::read_dir("/proc").ok()?.flatten() {
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // It may have ended since it was listed.
        let Some(fields) = stat(id) else { continue };
        if fields.get(1).and_then(|field| field.parse().ok()) == Some(parent) {
            used += time(&fields, 11) + time(&fields, 12);
        }
    }
    Some(used)
}

/// Bytes of memory that a process keeps.
pub fn resident(id: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<f64>().ok()? * 1024.0)
}

/// The parent of a process.
pub fn parent(id: u32) -> Option<u32> {
    stat(id)?.get(1)?.parse().ok()
}

/// The fields of `/proc/ID/stat` from the state on; the name before it may hold spaces.
fn stat(id: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let (_, fields) = text.rsplit_once(')')?;
    Some(fields.split_whitespace().map(str::to_owned).collect())
}

fn time(fields: &[String], at: usize) -> Duration {
    let ticks: u64 = fields.get(at).and_then(|field| field.parse().ok()).unwrap_or(0);
    Duration::from_millis(ticks * 1000 / TICKS)
}
