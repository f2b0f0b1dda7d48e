//! Shared libraries found by name, the way the programs that need them find them.
//!
//! Libraries that are opened stay open: several of them start threads and must not be unloaded.

use std::path::PathBuf;

/// A library that the loader found.
#[derive(Debug)]
pub struct Library {
    /// The name it was found by.
    pub name: String,
    /// Its file, where the system says.
    pub path: Option<PathBuf>,
    handle: &'static libloading::Library,
}

impl Library {
    /// The library itself, for calls.
    pub fn handle(&self) -> &'static libloading::Library {
        self.handle
    }
}

/// The first of `names` that can be opened.
pub fn find_library(names: &[&str]) -> Option<Library> {
    names.iter().find_map(|name| {
        // SAFETY: opening runs the library's initialisers. The names asked for are those of system
        // libraries (drivers, CUDA, Vulkan, MPI), which expect to be opened by any program.
        let opened = unsafe { libloading::Library::new(*name) }.ok()?;
        Some(Library {
            name: (*name).to_owned(),
            path: mapped_file(name),
            handle: Box::leak(Box::new(opened)),
        })
    })
}

/// The file that holds an open library, from the list of this process's mappings.
fn mapped_file(name: &str) -> Option<PathBuf> {
    let text = std::fs::read_to_string("/proc/self/maps").ok()?;
    let stem = name.split(".so").next().unwrap_or(name);
    let files = text.lines().filter_map(|line| line.find('/').map(|at| &line[at..]));
    let mut named = files.filter(|file| {
        let file = file.rsplit('/').next().unwrap_or(file);
        file.strip_prefix(stem).is_some_and(|rest| rest.starts_with(".so"))
    });
    named.next().map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    fn the_c_library_is_found_with_its_file_and_nonsense_is_not() {
        let found = find_library(&["libnothing_of_this_name.so.7", "libc.so.6"]).unwrap();
        assert_eq!(found.name, "libc.so.6");
        assert!(found.path.as_ref().is_some_and(|path| path.is_file()), "{found:?}");
        assert!(find_library(&["libnothing_of_this_name.so.7"]).is_none());
    }
}
