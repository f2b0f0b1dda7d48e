//! What a host offers to the ranks on it: memory, room on a disk, network devices; and which program runs.
//!
//! Linux says these in files; elsewhere they are unknown, and what is unknown is not judged.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Bytes that programs may still use here: of the host, or of the control group if it has fewer.
pub fn memory_available() -> Option<u64> {
    let meminfo = fs::read_to_string("/proc/meminfo").ok()?;
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let host = line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024;
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    groups.lines().filter_map(left_in_group).chain([host]).min()
}

/// Names of a controller's files: the limit, what is used, and the caches within that can be dropped.
type Files = (&'static str, &'static str, &'static str);

/// What the control group of a line of `/proc/self/cgroup`, or one above it, leaves.
fn left_in_group(line: &str) -> Option<u64> {
    let mut fields = line.splitn(3, ':').skip(1);
    let (controllers, path) = (fields.next()?, fields.next()?);
    let (root, files): (&str, Files) = match controllers {
        "" => ("/sys/fs/cgroup", ("memory.max", "memory.current", "inactive_file ")),
        "memory" => (
            "/sys/fs/cgroup/memory",
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file "),
        ),
        _ => return None,
    };
    let group = PathBuf::from(format!("{root}{path}"));
    group.ancestors().filter(|it| it.starts_with(root)).filter_map(|it| left(it, files)).min()
}

/// What is left in `group`; `None` without a limit.
fn left(group: &Path, (limit, used, caches): Files) -> Option<u64> {
    let number = |name: &str| fs::read_to_string(group.join(name)).ok()?.trim().parse::<u64>().ok();
    // Version 1 says "no limit" by a number near 2^63.
    let limit = number(limit).filter(|limit| *limit < 1 << 62)?;
    let stat = fs::read_to_string(group.join("memory.stat")).unwrap_or_default();
    let cached = stat.lines().find_map(|line| line.strip_prefix(caches)?.trim().parse().ok());
    Some(limit.saturating_sub(number(used)?.saturating_sub(cached.unwrap_or(0))))
}

/// Bytes that this user may still write into the file system of `folder`, which need not be there yet.
pub(super) fn room(folder: &Path) -> Option<u64> {
    let folder = std::path::absolute(folder).ok()?;
    let there = folder.ancestors().find(|it| it.exists())?;
    #[cfg(unix)]
    {
        let found = rustix::fs::statvfs(there).ok()?;
        Some(found.f_bavail.saturating_mul(found.f_frsize))
    }
    #[cfg(not(unix))]
    {
        let _ = there;
        None
    }
}

/// A network device that is up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Device {
    /// Its name, such as `eth0` or `mlx5_0/1`.
    pub name: String,
    /// What it was negotiated to move.
    pub bytes_per_s: f64,
}

/// Network devices that say how fast they are: Ethernet, InfiniBand and what looks like them.
pub(super) fn devices() -> Vec<Device> {
    let ethernet = entries(Path::new("/sys/class/net")).into_iter().filter_map(|device| {
        let read = |file: &str| fs::read_to_string(device.join(file)).unwrap_or_default();
        let mbit: f64 = read("speed").trim().parse().ok()?;
        let is_up = read("operstate").trim() == "up" && mbit > 0.0;
        is_up.then(|| Device { name: name_of(&device), bytes_per_s: mbit * 1e6 / 8.0 })
    });
    let ports = entries(Path::new("/sys/class/infiniband")).into_iter().flat_map(|device| {
        entries(&device.join("ports")).into_iter().filter_map(move |port| {
            let read = |file: &str| fs::read_to_string(port.join(file)).unwrap_or_default();
            let gbit: f64 = read("rate").split_whitespace().next()?.parse().ok()?;
            let name = format!("{}/{}", name_of(&device), name_of(&port));
            let is_up = read("state").contains("ACTIVE");
            is_up.then_some(Device { name, bytes_per_s: gbit * 1e9 / 8.0 })
        })
    });
    ethernet.chain(ports).collect()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let found = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found: Vec<PathBuf> = found.collect();
    found.sort();
    found
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Version and digest of the program that runs: two builds of one version are two programs.
pub fn program() -> String {
    let version = env!("CARGO_PKG_VERSION");
    let bytes = std::env::current_exe().and_then(fs::File::open).and_then(|file| {
        // SAFETY: a running program is not written to: the system refuses that, and a new build is a new file.
        unsafe { memmap2::Mmap::map(&file) }
    });
    match bytes {
        Ok(bytes) => {
            format!(
                "{version}, {} bytes, xxh3 {:016x}",
                bytes.len(),
                xxhash_rust::xxh3::xxh3_64(&bytes)
            )
        }
        Err(error) => format!("{version}, which cannot be read ({error})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_group_leaves_its_limit_without_what_is_used_and_cannot_be_dropped() {
        let group = tempfile::tempdir().unwrap();
        let files = ("memory.max", "memory.current", "inactive_file ");
        let write = |name: &str, text: &str| fs::write(group.path().join(name), text).unwrap();
        write("memory.max", "max\n");
        write("memory.current", "700\n");
        write("memory.stat", "anon 400\ninactive_file 100\nactive_file 200\n");
        assert_eq!(left(group.path(), files), None, "no limit");
        write("memory.max", "1000\n");
        assert_eq!(left(group.path(), files), Some(400));
        write("memory.max", "500\n");
        assert_eq!(left(group.path(), files), Some(0), "above its limit for a moment");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_host_has_memory_and_room_also_where_a_folder_will_be() {
        assert!(memory_available().unwrap() > 1 << 20);
        let folder = tempfile::tempdir().unwrap();
        let later = room(&folder.path().join("not/there/yet")).unwrap();
        assert!(later > 0 && room(folder.path()).is_some());
        assert!(program().contains("xxh3"), "{}", program());
    }
}
