//! Rooms of a crate: code names its own room and rooms on lower floors, so no circle is possible.
//!
//! Which rooms there are and on which floor is [`super::table`]. A path that leads to the same floor
//! or a higher one is refused; so are a module without a room, a line of the table without a module
//! and a file that nothing mounts. Links of docs and code for tests may point anywhere.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::modules::{Mention, Modules, join, parent};
use super::table::{House, Known, TABLE};
use crate::finding::Finding;
use crate::tree::{Tree, has_extension};

/// Every finding in every crate of the table.
pub(super) fn findings(tree: &Tree, houses: &[House]) -> Vec<Finding> {
    houses.iter().flat_map(|house| of_crate(tree, house)).collect()
}

fn of_crate(tree: &Tree, house: &House) -> Vec<Finding> {
    let roots = ["lib.rs", "main.rs"].map(|file| format!("{}/src/{file}", house.folder));
    let roots = roots.iter().filter(|root| tree.files.contains_key(*root));
    let plans: Vec<Plan> =
        roots.map(|root| Plan { house, modules: Modules::read(tree, root) }).collect();
    let mut found = Vec::new();
    for plan in &plans {
        found.extend(plan.undeclared());
        found.extend(plan.arrows());
        found.extend(plan.gone());
    }
    let sources = format!("{}/src/", house.folder);
    let files =
        tree.files.keys().filter(|path| path.starts_with(&sources) && has_extension(path, "rs"));
    let lost = files.filter(|path| !plans.iter().any(|plan| plan.modules.mounted.contains(*path)));
    found.extend(lost.map(|path| Finding::error(path, None, "no `mod` line mounts it".into())));
    found
}

/// A room's name and floor; the root of a crate is called `crate` and is above all.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Room {
    name: String,
    floor: usize,
}

/// An arrow from room to room, and the path that draws it.
struct Arrow<'a> {
    from: Room,
    to: Room,
    mention: &'a Mention,
}

/// A crate as the table plans it and as it stands.
struct Plan<'a> {
    house: &'a House,
    modules: Modules,
}

impl Plan<'_> {
    /// The room that `module` is in: that of the longest line of the table above or at it.
    fn room(&self, module: &str) -> Option<Room> {
        if module.is_empty() {
            return Some(Room { name: "crate".into(), floor: usize::MAX });
        }
        let lines = [module.to_owned(), join(parent(module), "*")];
        let is_line = |name: &&str| lines.iter().position(|line| line == name);
        let rooms = self.house.floors.iter().enumerate();
        let rooms =
            rooms.flat_map(|(floor, rooms)| rooms.iter().map(move |(name, _)| (floor, name)));
        let found = rooms.filter_map(|(floor, name)| is_line(name).map(|rank| (rank, floor))).min();
        found.map_or_else(
            || (!parent(module).is_empty()).then(|| self.room(parent(module)))?,
            |(_, floor)| Some(Room { name: module.to_owned(), floor }),
        )
    }

    /// Are there rooms inside `module`?
    fn is_way(&self, module: &str) -> bool {
        let names = self.house.floors.iter().copied().flatten().map(|(name, _)| *name);
        module.is_empty() || names.into_iter().any(|name| parent(name) == module)
    }

    fn all_arrows(&self) -> Vec<Arrow<'_>> {
        let mentions = self.modules.mentions.iter();
        let arrows = mentions.filter_map(|mention| {
            let target = self.modules.target(mention, &|module| self.is_way(module))?;
            let (from, to) = (self.room(&mention.from)?, self.room(&target)?);
            (from != to).then_some(Arrow { from, to, mention })
        });
        arrows.collect()
    }

    fn arrows(&self) -> Vec<Finding> {
        let arrows = self.all_arrows();
        let (mut said, mut used) = (BTreeSet::new(), BTreeSet::new());
        let mut found = Vec::new();
        for arrow in arrows.iter().filter(|arrow| arrow.to.floor >= arrow.from.floor) {
            let Mention { file, line, .. } = arrow.mention;
            let known = self.house.known.iter().find(|known| covers(known, arrow));
            if let Some(known) = known {
                used.insert(known);
            } else if said.insert((file, line, &arrow.to.name)) {
                found.push(Finding::error(file, Some(*line), refusal(arrow, &arrows)));
            }
        }
        let unused = self.house.known.iter().filter(|known| !used.contains(known));
        found.extend(unused.map(|(from, to, _)| {
            let folder = self.house.folder;
            let message =
                format!("`{folder}`: no arrow goes from `{from}` to `{to}`: remove the line");
            Finding::error(TABLE, None, message)
        }));
        found
    }

    fn undeclared(&self) -> Vec<Finding> {
        let modules = self.modules.files.iter();
        let modules = modules.filter(|(module, _)| parent(module).is_empty());
        modules
            .filter(|(module, _)| self.room(module).is_none())
            .map(|(module, file)| {
                let message = format!(
                    "`{module}` has no room: add `(\"{module}\", \"what it holds\")` to a floor of \
                     `{}` in {TABLE}, above all it names and below all that name it",
                    self.house.folder
                );
                Finding::error(file, None, message)
            })
            .collect()
    }

    fn gone(&self) -> Vec<Finding> {
        let names: Vec<&str> =
            self.house.floors.iter().copied().flatten().map(|(name, _)| *name).collect();
        let is_there = |name: &str| match name.strip_suffix('*') {
            Some(way) => self.modules.files.keys().any(|module| {
                let inside = !module.is_empty() && parent(module) == way.trim_end_matches("::");
                inside && !names.contains(&module.as_str())
            }),
            None => self.modules.files.contains_key(name),
        };
        names
            .iter()
            .filter(|name| !is_there(name))
            .map(|name| {
                let message =
                    format!("`{}` has no module `{name}`: remove its line", self.house.folder);
                Finding::error(TABLE, None, message)
            })
            .collect()
    }
}

fn covers((from, to, _): &Known, arrow: &Arrow) -> bool {
    (*from == "*" || *from == arrow.from.name) && (*to == "*" || *to == arrow.to.name)
}

fn refusal(arrow: &Arrow, arrows: &[Arrow]) -> String {
    let (from, to) = (&arrow.from.name, &arrow.to.name);
    let place = if arrow.from.floor == arrow.to.floor { "beside" } else { "above" };
    let reason = match way(to, from, arrows) {
        Some(back) => format!("which closes a circle, {from} -> {}: ", back.join(" -> ")),
        None => format!("and no way leads back: let their floors change places in {TABLE}, or "),
    };
    format!(
        "room `{from}` names `{to}`, a room {place} it, {reason}move what is named to a lower floor, \
         or let a room above both pass it in"
    )
}

/// The rooms of a shortest way from `start` to `end`.
fn way(start: &str, end: &str, arrows: &[Arrow]) -> Option<Vec<String>> {
    let mut before = BTreeMap::from([(start, start)]);
    let mut waiting = VecDeque::from([start]);
    while let Some(room) = waiting.pop_front() {
        for arrow in arrows.iter().filter(|arrow| arrow.from.name == room) {
            let next = arrow.to.name.as_str();
            if !before.contains_key(next) {
                before.insert(next, room);
                waiting.push_back(next);
            }
        }
    }
    let mut rooms = vec![end.to_owned()];
    let mut room = end;
    while room != start {
        room = before.get(room)?;
        rooms.insert(0, room.to_owned());
    }
    Some(rooms)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUSE: House = House {
        folder: "model",
        floors: &[
            &[("params", "numbers")],
            &[("wings::*", "networks")],
            &[("wings", "their list")],
            &[("top", "all")],
        ],
        known: &[],
    };
    const LIB: (&str, &str) =
        ("model/src/lib.rs", "pub mod params;\nmod top;\npub mod wings;\npub use top::Top;\n");
    const WINGS: (&str, &str) = ("model/src/wings/mod.rs", "mod a;\nmod b;\npub use a::A;\n");

    /// `file:line from>to` of what is found when `files` come to a crate of four rooms.
    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let mut all = BTreeMap::from([
            LIB,
            WINGS,
            ("model/src/params.rs", ""),
            ("model/src/top.rs", ""),
            ("model/src/wings/a.rs", ""),
            ("model/src/wings/b.rs", ""),
        ]);
        all.extend(files.iter().copied());
        let tree = Tree::of(&all.into_iter().collect::<Vec<_>>());
        let found = findings(&tree, &[HOUSE]);
        found
            .iter()
            .map(|finding| {
                let words: Vec<_> = finding.message.split('`').collect();
                let place = finding.path.trim_start_matches("model/src/");
                format!("{place}:{} {}>{}", finding.line.unwrap_or(0), words[1], words[3])
            })
            .collect()
    }

    #[test]
    fn an_arrow_up_is_found_however_it_is_written() {
        let up = [
            "use crate::top::Top;",
            "pub(crate) use super::{top::{Top as T}};",
            "use crate::Top;",
            "use super as all;\nfn f() { all::Top::new() }",
            "fn f() { g!(1, super::top::h()) }",
            "macro_rules! m { () => { $crate::top::h() } }",
            "mod inner { use super::super::top::*; }",
        ];
        for source in up {
            let got = found(&[("model/src/params.rs", source)]);
            let line = source.lines().count();
            assert_eq!(got, [format!("params.rs:{line} params>top")], "{source}");
        }
    }

    #[test]
    fn a_glob_of_the_root_names_the_root() {
        let got = found(&[("model/src/params.rs", "use crate::*;")]);
        assert_eq!(got, ["params.rs:1 params>crate"]);
    }

    #[test]
    fn rooms_on_one_floor_do_not_name_each_other_even_by_what_their_list_exports() {
        let b = "use super::A;\nuse crate::wings::a::A;\nuse crate::params::P;\n";
        let got = found(&[("model/src/wings/b.rs", b)]);
        let line = |at| format!("wings/b.rs:{at} wings::b>wings::a");
        assert_eq!(got, [line(1), line(2)]);
        let list = found(&[("model/src/wings/b.rs", "use super::Listed;")]);
        assert_eq!(list, ["wings/b.rs:1 wings::b>wings"]);
    }

    #[test]
    fn links_of_docs_and_code_of_tests_may_point_up() {
        let params = "//! See [`crate::top`].\n#[cfg(test)]\nmod tests { use crate::top::Top; }\n\
                      #[cfg(all(test, unix))]\n#[path = \"params_tests.rs\"]\nmod more;\n";
        let tests = "use crate::top::Top;";
        let files = [("model/src/params.rs", params), ("model/src/params_tests.rs", tests)];
        assert_eq!(found(&files), [""; 0]);
    }

    #[test]
    fn a_module_is_where_its_path_attribute_puts_it() {
        let files = [
            ("model/src/params.rs", "#[path = \"elsewhere/x.rs\"]\nmod inside;"),
            ("model/src/elsewhere/x.rs", "\nuse crate::top::Top;"),
        ];
        assert_eq!(found(&files), ["elsewhere/x.rs:2 params>top"]);
    }

    #[test]
    fn the_way_round_is_named() {
        let top = ("model/src/top.rs", "use crate::wings::a::A;");
        let a = ("model/src/wings/a.rs", "use crate::params::P;");
        let params = ("model/src/params.rs", "use crate::Top;");
        let plain = [LIB, WINGS, ("model/src/wings/b.rs", ""), top, a, params];
        let message = &findings(&Tree::of(&plain), &[HOUSE])[0].message;
        assert!(message.contains("circle, params -> top -> wings::a -> params: "), "{message}");
        let straight = [
            LIB,
            WINGS,
            ("model/src/wings/b.rs", ""),
            ("model/src/wings/a.rs", ""),
            ("model/src/top.rs", ""),
            params,
        ];
        let message = &findings(&Tree::of(&straight), &[HOUSE])[0].message;
        assert!(message.contains("change places"), "{message}");
    }

    #[test]
    fn modules_without_a_room_lines_without_a_module_and_lost_files_are_refused() {
        let lib = ("model/src/lib.rs", "mod params;\nmod wings;\nmod new;");
        let files = [
            lib,
            WINGS,
            ("model/src/wings/a.rs", ""),
            ("model/src/wings/b.rs", ""),
            ("model/src/params.rs", ""),
            ("model/src/new.rs", ""),
            ("model/src/top.rs", ""),
        ];
        let found = findings(&Tree::of(&files), &[HOUSE]);
        let paths: Vec<_> = found.iter().map(|finding| finding.path.as_str()).collect();
        assert_eq!(paths, ["model/src/new.rs", TABLE, "model/src/top.rs"]);
        assert!(found[0].message.contains("add `(\"new\", \"what it holds\")`"));
    }

    #[test]
    fn a_floor_of_any_other_module_takes_what_no_line_names_and_must_hold_one() {
        let floors: &[&[(&str, &str)]] =
            &[&[("params", "numbers")], &[("*", "networks")], &[("top", "all")]];
        let house = House { floors, ..HOUSE };
        let with = |lib: &'static str, files: &[(&'static str, &'static str)]| {
            let plain = [("model/src/lib.rs", lib), ("model/src/params.rs", "")];
            let all: Vec<_> = plain.iter().chain(files).copied().collect();
            let found = findings(&Tree::of(&all), &[house]);
            found.iter().map(|it| it.path.trim_start_matches("model/src/").to_owned()).collect()
        };
        let (top, lib) = ("model/src/top.rs", "mod params;\nmod top;\nmod a;\nmod b;");
        let up = [(top, "use crate::a::A;"), ("model/src/a.rs", "use crate::params::P;")];
        let none: Vec<String> = with(lib, &[&up[..], &[("model/src/b.rs", "")]].concat());
        assert_eq!(none, [""; 0]);
        let beside: Vec<String> =
            with(lib, &[(top, ""), ("model/src/a.rs", ""), ("model/src/b.rs", "use crate::a::A;")]);
        assert_eq!(beside, ["b.rs"]);
        let empty: Vec<String> = with("mod params;\nmod top;", &[(top, "")]);
        assert_eq!(empty, [TABLE]);
    }

    #[test]
    fn a_known_arrow_passes_while_it_is_there_and_is_refused_when_it_is_gone() {
        let house = House { known: &[("params", "top", "why")], ..HOUSE };
        let with = |params| {
            let files = [
                LIB,
                WINGS,
                ("model/src/wings/a.rs", ""),
                ("model/src/wings/b.rs", ""),
                ("model/src/params.rs", params),
                ("model/src/top.rs", ""),
            ];
            findings(&Tree::of(&files), &[house])
        };
        assert!(with("use crate::Top;").is_empty());
        assert_eq!(with("")[0].path, TABLE);
    }
}
