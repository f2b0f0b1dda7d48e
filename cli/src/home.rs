//! `~/` in paths of the command line that no shell has put the home folder in: `--out=~/x`, quotes.
//!
//! Variables are the shell's alone: in quotes `$` is a letter. In run files both are read, by the
//! library.

use std::path::{Path, PathBuf};

use clap::builder::{PathBufValueParser, StringValueParser, TypedValueParser as _};
use clap::{Arg, Command, value_parser};
use genesis_train::keys::environment;

/// The same command, whose paths may begin with the home folder.
pub(crate) fn known(command: Command) -> Command {
    command.mut_args(of_argument).mut_subcommands(known)
}

fn of_argument(argument: Arg) -> Arg {
    let kind = argument.get_value_parser().type_id();
    let may_be_a_file = |name: &clap::builder::Str| name.contains("FILE");
    if kind == value_parser!(PathBuf).type_id() {
        argument
            .value_parser(PathBufValueParser::new().try_map(|path| expanded(&path, environment)))
    } else if argument.get_value_names().is_some_and(|names| names.iter().any(may_be_a_file)) {
        let parser = StringValueParser::new();
        argument.value_parser(parser.try_map(|text| {
            expanded(Path::new(&text), environment).map(|path| path.display().to_string())
        }))
    } else {
        argument
    }
}

/// `path` with the home folder for a `~` that is all of its first part.
fn expanded(path: &Path, lookup: impl Fn(&str) -> Option<String>) -> Result<PathBuf, String> {
    let Ok(below) = path.strip_prefix("~") else { return Ok(path.to_path_buf()) };
    match lookup("HOME").filter(|home| !home.is_empty()) {
        // Not joined when it is the home folder itself: that would end in a slash.
        Some(home) if below.as_os_str().is_empty() => Ok(PathBuf::from(home)),
        Some(home) => Ok(Path::new(&home).join(below)),
        None => {
            Err("HOME is not set; write the path in full, or ./~ for a folder of this name"
                .to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(path: &str) -> Result<PathBuf, String> {
        expanded(Path::new(path), |name| (name == "HOME").then(|| "/home/ada".to_owned()))
    }

    #[test]
    fn a_tilde_in_front_is_the_home_folder_and_nothing_else_is() {
        for (path, right) in [
            ("~/runs/a", "/home/ada/runs/a"),
            ("~", "/home/ada"),
            ("~/", "/home/ada"),
            ("./~/a", "./~/a"),
            ("~ada/a", "~ada/a"),
            ("a/~/b", "a/~/b"),
            ("$HOME/a", "$HOME/a"),
        ] {
            assert_eq!(at(path), Ok(PathBuf::from(right)), "{path}");
        }
        assert!(expanded(Path::new("~/a"), |_| None).unwrap_err().contains("HOME"));
    }

    #[test]
    fn paths_of_all_commands_are_read_so_and_texts_are_not() {
        let command = Command::new("a").subcommand(
            Command::new("b")
                .arg(Arg::new("out").long("out").value_parser(value_parser!(PathBuf)))
                .arg(Arg::new("either").long("either").value_name("NAME|FILE"))
                .arg(Arg::new("text").long("text")),
        );
        let words = ["a", "b", "--out=~/x", "--either=~/y", "--text=~/z"];
        let matches = known(command).try_get_matches_from(words).unwrap();
        let (_, of_b) = matches.subcommand().unwrap();
        let home = PathBuf::from(environment("HOME").expect("a home folder"));
        assert_eq!(of_b.get_one::<PathBuf>("out"), Some(&home.join("x")));
        let either = home.join("y").display().to_string();
        assert_eq!(of_b.get_one::<String>("either"), Some(&either));
        assert_eq!(of_b.get_one::<String>("text").map(String::as_str), Some("~/z"));
    }
}
