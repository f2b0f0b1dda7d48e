//! The modules of one crate, as `mod` lines mount them, and the module that a written path leads to.
//!
//! A module is named by its path below the root, whose own name is empty. What is compiled for tests
//! alone is left out, whole modules and `#[cfg(test)]` items alike. A path through a module that is
//! only a way to others (the root, `families`) is followed through what that module imports.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::paths::{Kind, Token, Written, tokens, written};
use crate::rust_text::{attributes_before, closing_brace, line_of, mask, test_ranges};
use crate::tree::{Tree, resolve};

/// Renames and re-exports are followed so far.
const HOPS: usize = 8;

/// A path of the code, with the place and the module that wrote it.
#[derive(Debug, Clone)]
pub(super) struct Mention {
    pub(super) file: String,
    pub(super) line: usize,
    pub(super) from: String,
    words: Vec<String>,
    is_glob: bool,
}

/// One crate's modules and what they write.
#[derive(Debug, Default)]
pub(super) struct Modules {
    /// Every module that is not for tests alone, with its file.
    pub(super) files: BTreeMap<String, String>,
    pub(super) mentions: Vec<Mention>,
    /// `(module, name)` to the path that the name stands for there.
    imports: BTreeMap<(String, String), Vec<String>>,
    /// Files, those of tests among them.
    pub(super) mounted: BTreeSet<String>,
}

impl Modules {
    /// Those mounted from `root`, such as `model/src/lib.rs`.
    pub(super) fn read(tree: &Tree, root: &str) -> Self {
        let mut modules = Self::default();
        let folder = folder_of(root).to_owned();
        let first = Mount { file: root.into(), module: String::new(), folder, is_test: false };
        let mut waiting = vec![first];
        while let Some(mount) = waiting.pop() {
            let entry = tree.files.get(&mount.file);
            let text = entry.and_then(|entry| entry.text.as_deref()).unwrap_or_default();
            let masked = mask(text);
            let source = Source::new(&mount, text, &masked);
            modules.mounted.insert(mount.file.clone());
            if !mount.is_test {
                modules.add(&source);
            }
            waiting.extend(source.mounts(tree));
        }
        modules
    }

    fn add(&mut self, source: &Source) {
        let file = &source.mount.file;
        self.files.insert(source.mount.module.clone(), file.clone());
        for (body, _) in source.inline.iter().filter(|(body, _)| !source.is_test(body.start)) {
            self.files.insert(source.module_at(body.start), file.clone());
        }
        for path in written(&source.tokens).into_iter().filter(|path| !source.is_test(path.at)) {
            let Written { at, words, kind } = path;
            let from = source.module_at(at);
            let words: Vec<String> = words.into_iter().map(str::to_owned).collect();
            if let Kind::Import(name) = kind {
                self.imports.insert((from.clone(), name.to_owned()), words.clone());
            }
            let (file, line) = (file.clone(), line_of(source.masked, at));
            self.mentions.push(Mention { file, line, from, words, is_glob: kind == Kind::Glob });
        }
    }

    /// The module that `mention` leads to; `None` when that is another crate's, or when the path is
    /// but a short name for a way, whose uses are mentions of their own.
    pub(super) fn target(
        &self,
        mention: &Mention,
        is_way: &dyn Fn(&str) -> bool,
    ) -> Option<String> {
        let path = self.absolute(&mention.from, &mention.words, HOPS)?;
        let (module, is_whole) = self.land(&path, is_way, HOPS)?;
        let is_short_name = is_whole && !mention.is_glob && is_way(&module);
        (!is_short_name).then_some(module)
    }

    /// `words` as `module` means them, from the root on.
    fn absolute(&self, module: &str, words: &[String], hops: usize) -> Option<Vec<String>> {
        let is_step = |word: &&String| ["crate", "self", "super"].contains(&word.as_str());
        let (steps, rest) = words.split_at(words.iter().take_while(is_step).count());
        let here = steps.iter().fold(module, |here, step| match step.as_str() {
            "crate" => "",
            "super" => parent(here),
            _ => here,
        });
        if let ([], [name, tail @ ..]) = (steps, rest)
            && !self.files.contains_key(&join(module, name))
        {
            let import = self.imports.get(&(module.to_owned(), name.clone()))?;
            let start = self.absolute(module, import, hops.checked_sub(1)?)?;
            return Some([&start, tail].concat());
        }
        let start = here.split("::").filter(|name| !name.is_empty()).map(str::to_owned);
        Some(start.chain(rest.iter().cloned()).collect())
    }

    /// The innermost module on `path`, and whether the path ends there.
    fn land(
        &self,
        path: &[String],
        is_way: &dyn Fn(&str) -> bool,
        hops: usize,
    ) -> Option<(String, bool)> {
        let mut here = String::new();
        for (at, name) in path.iter().enumerate() {
            let child = join(&here, name);
            if self.files.contains_key(&child) {
                here = child;
                continue;
            }
            let import = self.imports.get(&(here.clone(), name.clone()));
            let Some(import) = import.filter(|_| is_way(&here)) else { return Some((here, false)) };
            let hops = hops.checked_sub(1)?;
            let start = self.absolute(&here, import, hops)?;
            return self.land(&[&start, &path[at + 1..]].concat(), is_way, hops);
        }
        Some((here, true))
    }
}

/// A file to read as a module.
struct Mount {
    file: String,
    module: String,
    /// Where the files of its own modules lie.
    folder: String,
    is_test: bool,
}

/// A file as text, and which module each of its bytes is in.
struct Source<'a> {
    mount: &'a Mount,
    text: &'a str,
    masked: &'a str,
    tokens: Vec<Token<'a>>,
    /// Modules with a body in this file, outermost first.
    inline: Vec<(Range<usize>, &'a str)>,
    tests: Vec<Range<usize>>,
}

impl<'a> Source<'a> {
    fn new(mount: &'a Mount, text: &'a str, masked: &'a str) -> Self {
        let tokens = tokens(masked);
        let bodies =
            tokens.windows(3).filter(|three| three[0].text == "mod" && three[2].text == "{");
        let inline = bodies
            .map(|three| (three[2].at..closing_brace(masked, three[2].at), three[1].text))
            .collect();
        Self { mount, text, masked, inline, tests: test_ranges(masked), tokens }
    }

    fn is_test(&self, at: usize) -> bool {
        self.tests.iter().any(|range| range.contains(&at))
    }

    fn module_at(&self, at: usize) -> String {
        let holders = self.inline.iter().filter(|(body, _)| body.contains(&at));
        holders.fold(self.mount.module.clone(), |module, (_, name)| join(&module, name))
    }

    /// What the `mod name;` lines of this file mount.
    fn mounts(&self, tree: &Tree) -> Vec<Mount> {
        let lines = self.tokens.windows(3);
        let lines = lines.filter(|three| three[0].text == "mod" && three[2].text == ";");
        lines
            .filter_map(|line| {
                let (at, name) = (line[0].at, line[1].text);
                let file = self.file_of(tree, at, name)?;
                let is_folder = file.ends_with("/mod.rs");
                let folder =
                    if is_folder { folder_of(&file) } else { file.trim_end_matches(".rs") };
                Some(Mount {
                    module: join(&self.module_at(at), name),
                    folder: folder.to_owned(),
                    is_test: self.mount.is_test || self.is_test(at),
                    file,
                })
            })
            .collect()
    }

    /// The file of the module `name` whose `mod` stands at `at`: what `#[path]` says, or by its name.
    fn file_of(&self, tree: &Tree, at: usize, name: &str) -> Option<String> {
        let start = at - attributes_before(self.masked, at).len();
        if let Some((_, rest)) = self.text[start..at].split_once("#[path = \"") {
            return resolve(folder_of(&self.mount.file), rest.split('"').next()?);
        }
        let folder = &self.mount.folder;
        let files = [format!("{folder}/{name}.rs"), format!("{folder}/{name}/mod.rs")];
        files.into_iter().find(|file| tree.files.contains_key(file))
    }
}

/// `a::b` and `c` to `a::b::c`.
pub(super) fn join(module: &str, name: &str) -> String {
    if module.is_empty() { name.to_owned() } else { format!("{module}::{name}") }
}

/// `a::b::c` to `a::b`; the root is its own.
pub(super) fn parent(module: &str) -> &str {
    module.rsplit_once("::").map_or("", |(parent, _)| parent)
}

fn folder_of(file: &str) -> &str {
    file.rsplit_once('/').map_or("", |(folder, _)| folder)
}
