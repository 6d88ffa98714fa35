//! The documents that come from code.

use std::fmt::Write;

use anyhow::Context;
use clap::{Arg, ArgAction, Command, CommandFactory};
use clap_complete::Shell;
use rockfish_app::cli;
use rockfish_app::config::{Key, Layer, SectionText};
use rockfish_license_cli::args as license;
use rockfish_probe::args::{Args, SECTIONS};
use rockfish_probe::config::ConfigLayer;

/// A document and what it must hold.
#[derive(Debug)]
pub(crate) struct Document {
    /// Path in the workspace.
    pub(crate) path: &'static str,
    /// The whole text.
    pub(crate) text: String,
}

/// Man pages and completion scripts of a program.
struct Pages {
    command: Command,
    sections: &'static [cli::Section],
    man: &'static str,
    /// Subcommands and their man pages.
    subcommands: &'static [(&'static str, &'static str)],
    completions: [(Shell, &'static str); 3],
}

/// All documents.
pub(crate) fn all() -> anyhow::Result<Vec<Document>> {
    let keys = sections();
    let mut documents = vec![
        Document { path: "docs/cli.md", text: command_lines(&keys)? },
        Document { path: "docs/config.md", text: configuration(&keys)? },
        Document { path: "docs/schema.md", text: rockfish_schema::markdown() },
    ];
    for pages in [
        Pages {
            command: Args::command(),
            sections: SECTIONS,
            man: "docs/man/rockfish_probe.1",
            subcommands: &[
                ("validate", "docs/man/rockfish_probe-validate.1"),
                ("completions", "docs/man/rockfish_probe-completions.1"),
                ("man", "docs/man/rockfish_probe-man.1"),
            ],
            completions: [
                (Shell::Bash, "docs/completions/rockfish_probe.bash"),
                (Shell::Zsh, "docs/completions/_rockfish_probe"),
                (Shell::Fish, "docs/completions/rockfish_probe.fish"),
            ],
        },
        Pages {
            command: license::command(),
            sections: license::SECTIONS,
            man: "docs/man/rockfish_license.1",
            subcommands: &[
                ("keygen", "docs/man/rockfish_license-keygen.1"),
                ("issue", "docs/man/rockfish_license-issue.1"),
                ("verify", "docs/man/rockfish_license-verify.1"),
                ("show", "docs/man/rockfish_license-show.1"),
                ("completions", "docs/man/rockfish_license-completions.1"),
                ("man", "docs/man/rockfish_license-man.1"),
            ],
            completions: [
                (Shell::Bash, "docs/completions/rockfish_license.bash"),
                (Shell::Zsh, "docs/completions/_rockfish_license"),
                (Shell::Fish, "docs/completions/rockfish_license.fish"),
            ],
        },
    ] {
        pages.write(&mut documents)?;
    }
    Ok(documents)
}

impl Pages {
    fn write(self, documents: &mut Vec<Document>) -> anyhow::Result<()> {
        let text = man(self.command.clone(), self.sections)?;
        documents.push(Document { path: self.man, text });
        let mut built = self.command.clone();
        built.build();
        for (name, path) in self.subcommands {
            let command =
                built.find_subcommand(name).with_context(|| format!("no subcommand {name}"))?;
            documents.push(Document { path, text: man(command.clone(), &[])? });
        }
        for (shell, path) in self.completions {
            let mut text = Vec::new();
            cli::write_completions(self.command.clone(), shell, &mut text)?;
            documents.push(Document { path, text: String::from_utf8(text)? });
        }
        Ok(())
    }
}

/// The table of keys.
fn sections() -> Vec<SectionText> {
    let mut sections = Vec::new();
    ConfigLayer::describe("", &mut sections);
    sections
}

fn man(command: Command, sections: &[cli::Section]) -> anyhow::Result<String> {
    let mut text = Vec::new();
    cli::write_man(command, sections, &mut text)?;
    Ok(String::from_utf8(text)?)
}

/// The key that the flag called `long` sets.
fn key_of<'a>(sections: &'a [SectionText], long: &str) -> Option<&'a Key> {
    sections.iter().flat_map(|section| &section.keys).find(|key| key.flag == Some(long))
}

/// Text for a table's cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace(['\n', '\r'], " ")
}

fn code(text: &str) -> String {
    format!("`{}`", cell(text))
}

const GENERATED: &str = "<!-- Written by `cargo xtask docs`. Change the code, not this page. -->\n";

/// The page of all programs.
fn command_lines(keys: &[SectionText]) -> Result<String, std::fmt::Error> {
    let mut page = format!("{GENERATED}\n# Command line\n");
    let mut command = Args::command();
    command.build();
    heading(&mut page, &command)?;
    writeln!(
        page,
        "Each option that sets a key of the [configuration](config.md) is listed with it; the key's environment variable\n\
         is `ROCKFISH_` and the key in capitals, the dot as an underscore. Options switched on by their name can be\n\
         switched off with `=false`.\n"
    )?;
    options(&mut page, "###", &command.get_arguments().collect::<Vec<_>>(), Some(keys))?;
    subcommands(&mut page, &command)?;
    writeln!(
        page,
        "\n`validate` takes all of the options above, and checks what they say together with file and environment."
    )?;
    closing(&mut page, SECTIONS)?;

    let mut command = license::command();
    command.build();
    heading(&mut page, &command)?;
    writeln!(
        page,
        "See [licenses.md](licenses.md). The options of this table are taken before and after the command.\n"
    )?;
    options(&mut page, "###", &command.get_arguments().collect::<Vec<_>>(), None)?;
    subcommands(&mut page, &command)?;
    for subcommand in command.get_subcommands() {
        let own: Vec<&Arg> = own_options(subcommand).collect();
        if !own.is_empty() {
            writeln!(page, "\n### {} {}\n", command.get_name(), subcommand.get_name())?;
            option_table(&mut page, own.into_iter(), None)?;
        }
    }
    closing(&mut page, license::SECTIONS)?;
    Ok(page)
}

/// Name, purpose and usage of a program.
fn heading(page: &mut String, command: &Command) -> std::fmt::Result {
    let name = command.get_name();
    writeln!(page, "\n## {name}\n")?;
    if let Some(about) = command.get_long_about().or(command.get_about()) {
        writeln!(page, "{about}\n")?;
    }
    let operand = if command.is_subcommand_required_set() { "<COMMAND>" } else { "[COMMAND]" };
    writeln!(page, "```\n{name} [OPTIONS] {operand}\n```\n")
}

/// A table for each heading under which options stand.
fn options(
    page: &mut String,
    level: &str,
    arguments: &[&Arg],
    keys: Option<&[SectionText]>,
) -> std::fmt::Result {
    // Clap's own options carry no heading; the manual has them among the global ones.
    const GLOBAL: &str = "Global Options";
    let heading = |argument: &Arg| argument.get_help_heading().unwrap_or(GLOBAL).to_owned();
    let mut headings: Vec<String> = Vec::new();
    for argument in arguments {
        let heading = heading(argument);
        if !headings.contains(&heading) {
            headings.push(heading);
        }
    }
    for title in headings {
        writeln!(page, "{level} {title}\n")?;
        let under = arguments.iter().copied().filter(|argument| heading(argument) == title);
        option_table(page, under, keys)?;
        writeln!(page)?;
    }
    Ok(())
}

/// A line for each option, with its key where the program has any.
fn option_table<'a>(
    page: &mut String,
    arguments: impl Iterator<Item = &'a Arg>,
    keys: Option<&[SectionText]>,
) -> std::fmt::Result {
    page.push_str("| Option | Short | Description |");
    page.push_str(if keys.is_some() { " Key |\n|---|---|---|---|\n" } else { "\n|---|---|---|\n" });
    for argument in arguments {
        let Some(long) = argument.get_long() else { continue };
        let short = argument.get_short().map(|short| code(&format!("-{short}")));
        write!(
            page,
            "| {} | {} | {} |",
            code(&option_text(argument, long)),
            short.unwrap_or_default(),
            cell(&argument.get_help().map(ToString::to_string).unwrap_or_default()),
        )?;
        if let Some(keys) = keys {
            let key = key_of(keys, long).map(|key| {
                // A switch for what is on by default switches it off.
                let inverted =
                    argument.is_require_equals_set() && key.default.as_deref() == Some("true");
                format!("{}{}", code(&key.path), if inverted { " (inverted)" } else { "" })
            });
            write!(page, " {} |", key.unwrap_or_default())?;
        }
        writeln!(page)?;
    }
    Ok(())
}

fn subcommands(page: &mut String, command: &Command) -> std::fmt::Result {
    writeln!(page, "### Commands\n\n| Command | Description |\n|---|---|")?;
    for subcommand in command.get_subcommands() {
        let about = subcommand.get_about().map(ToString::to_string).unwrap_or_default();
        let positional: String = subcommand
            .get_positionals()
            .map(|argument| {
                let many = matches!(argument.get_action(), ArgAction::Append);
                let name = argument
                    .get_value_names()
                    .and_then(|names| names.first())
                    .map_or_else(|| argument.get_id().as_str().to_uppercase(), ToString::to_string);
                format!(" <{name}>{}", if many { "..." } else { "" })
            })
            .collect();
        let options = if own_options(subcommand).next().is_some() { " [OPTIONS]" } else { "" };
        writeln!(
            page,
            "| {} | {} |",
            code(&format!("{}{options}{positional}", subcommand.get_name())),
            cell(&about)
        )?;
    }
    Ok(())
}

/// A subcommand's options, without those of the program and the one for help.
fn own_options(command: &Command) -> impl Iterator<Item = &Arg> {
    command.get_arguments().filter(|argument| {
        argument.get_long().is_some() && !argument.is_global_set() && argument.get_id() != "help"
    })
}

/// What help ends with.
fn closing(page: &mut String, sections: &[cli::Section]) -> std::fmt::Result {
    for section in sections {
        writeln!(page, "\n### {}\n\n```\n{}\n```", section.title, section.lines.join("\n"))?;
    }
    Ok(())
}

/// An option as it is written: `--idle-timeout <SECS>`.
fn option_text(argument: &Arg, long: &str) -> String {
    let takes_value = matches!(argument.get_action(), ArgAction::Set | ArgAction::Append);
    // A switch may be given a value, which is said once above the tables.
    if !takes_value || argument.is_require_equals_set() {
        return format!("--{long}");
    }
    let names: Vec<String> = argument
        .get_value_names()
        .unwrap_or_default()
        .iter()
        .map(|name| format!("<{name}>"))
        .collect();
    format!("--{long} {}", names.join(" "))
}

const CONFIGURATION_HEAD: &str = "
# Configuration of rockfish_probe

A YAML file, given with `-c FILE` or `ROCKFISH_CONFIG`:

```
rockfish_probe -c config.yaml
rockfish_probe -c config.yaml --source other.pcap
```

- **Order.** A flag wins over the environment, the environment over the file, the file over the default.
- **Environment.** Every key has a variable: `ROCKFISH_`, section and key in capitals. An empty one counts as not set.
- **Unknown keys are refused**, with file, line, column and the keys that are permitted; so are values of another type and
  numbers out of range. Nothing in the file is expanded: `${HOME}` is text.
- A key without value (`filter:`) and a section without keys (`s3:`) say nothing.
- `rockfish_probe validate` checks everything and says all that is wrong; `rockfish_probe --dump-config` prints the
  effective configuration with secrets masked, whether it is valid or not.
- **What this build cannot do is refused**, not passed over: live capture (an interface as `input.source`, `--live`),
  `ndpi.enabled`, `s3.bucket`, the databases of `geoip`, `ip_reputation.enabled`, `threat_intel.enabled`, `license.path`.
  The keys of those sections are read and checked all the same.

## Example

```yaml
input:
  source: \"/data/captures/*.pcap\"
  filter: \"tcp or udp\"
flow:
  idle_timeout: 300
  active_timeout: 1800
  max_flows: 1000000
output:
  parquet_dir: /var/lib/rockfish/flows
  hive_boundary_flush: true
  hive_partitioning: true
  stats: true
```
";

const CONFIGURATION_TAIL: &str = "
## Names of files

`output.parquet_file_prefix` replaces the word `rockfish` in file names, and its default is that word:
`rockfish-v1-YYYYMMDD-HHMMSS.parquet` with the 44 fields of the Community tier. With the 60 fields of the Professional
tier the observation domain follows the prefix: `rockfish-<observation>-v2-YYYYMMDD-HHMMSS.parquet`. Both prefix and
observation are made of letters, digits, dots, dashes and underscores.
";

fn configuration(sections: &[SectionText]) -> Result<String, std::fmt::Error> {
    let mut page = format!("{GENERATED}{CONFIGURATION_HEAD}");
    for section in sections {
        let title =
            if section.path.is_empty() { "Top level".to_owned() } else { code(&section.path) };
        writeln!(page, "\n## {title}\n\n{}\n", section.text)?;
        writeln!(
            page,
            "| Key | Type | Default | Permitted | Description | Flag | Environment |\n|---|---|---|---|---|---|---|"
        )?;
        for key in &section.keys {
            writeln!(
                page,
                "| {} | {} | {} | {} | {} | {} | {} |",
                code(key.name),
                // A choice's names are separated by bars that are escaped already.
                key.kind,
                key.default.as_deref().map(code).unwrap_or_else(|| "-".to_owned()),
                key.range.as_deref().unwrap_or("-"),
                cell(&key.text),
                key.flag.map(|flag| code(&format!("--{flag}"))).unwrap_or_else(|| "-".to_owned()),
                code(&key.variable()),
            )?;
        }
    }
    page.push_str(CONFIGURATION_TAIL);
    Ok(page)
}

#[cfg(test)]
mod tests {
    use rockfish_app::config::parse;

    use super::*;

    #[test]
    fn every_flag_of_the_table_exists_and_every_flag_is_explained() {
        let mut command = Args::command();
        command.build();
        let keys = sections();
        for key in keys.iter().flat_map(|section| &section.keys) {
            if let Some(flag) = key.flag {
                assert!(
                    command.get_arguments().any(|argument| argument.get_long() == Some(flag)),
                    "{} names --{flag}, which does not exist",
                    key.path
                );
            }
            assert!(!key.text.is_empty(), "{} has no description", key.path);
        }
        // What a flag does without being a key.
        let alone = ["config", "dump-config", "test-s3", "verbose", "quiet", "help", "version"];
        for argument in command.get_arguments() {
            let long = argument.get_long().unwrap();
            assert!(argument.get_help().is_some(), "--{long} has no help");
            assert!(
                alone.contains(&long) || key_of(&keys, long).is_some(),
                "--{long} sets no key of the table"
            );
        }
    }

    #[test]
    fn defaults_in_help_are_those_of_the_table() {
        let command = Args::command();
        let keys = sections();
        for argument in command.get_arguments() {
            let help = argument.get_help().unwrap().to_string();
            let Some(key) = argument.get_long().and_then(|long| key_of(&keys, long)) else {
                continue;
            };
            let Some((_, rest)) = help.split_once("[default: ") else { continue };
            let said = rest.trim_end_matches(']');
            match &key.default {
                Some(default) => assert_eq!(said, default, "{}", key.path),
                None => assert_eq!(said, "the writer's", "{}", key.path),
            }
        }
    }

    #[test]
    fn examples_of_the_page_are_valid_files() {
        let page = configuration(&sections()).unwrap();
        let mut examples = 0;
        for example in page.split("```yaml\n").skip(1) {
            let (yaml, _) = example.split_once("```").unwrap();
            parse::<ConfigLayer>(yaml, "docs/config.md").unwrap();
            examples += 1;
        }
        assert!(examples > 0);
    }
}
