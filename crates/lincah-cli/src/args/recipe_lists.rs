//! The recipe's options, each with several values, and all their combinations.

use super::RecipeArguments;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, Parser};

/// Options whose values may have commas in them: they become lists by being given again.
const WITH_COMMAS: [&str; 5] = ["targets", "layers", "instruction", "separator", "label_description"];

/// What was typed, per option its values, each as `--option=value`, or the option alone where it takes none.
#[derive(Debug, Clone)]
pub(crate) struct RecipeLists {
    options: Vec<Vec<String>>,
}

/// One combination, parsed as `train` would.
#[derive(Debug, Parser)]
struct OneRecipe {
    #[command(flatten)]
    recipe: RecipeArguments,
}

impl RecipeLists {
    /// Every combination of the values, the last option's varying fastest.
    pub(crate) fn combinations(&self) -> Result<Vec<RecipeArguments>, clap::Error> {
        let none = vec![vec![String::from("lincah")]];
        let lines = self.options.iter().fold(none, |lines, values| {
            let with = |line: &Vec<String>| -> Vec<Vec<String>> {
                values.iter().map(|value| line.iter().cloned().chain([value.clone()]).collect()).collect()
            };
            lines.iter().flat_map(with).collect()
        });
        lines.into_iter().map(|line| Ok(OneRecipe::try_parse_from(line)?.recipe)).collect()
    }
}

fn recipe_options() -> Vec<Arg> {
    RecipeArguments::augment_args(Command::new("recipe")).get_arguments().cloned().collect()
}

fn as_list(option: Arg) -> Arg {
    if !option.get_action().takes_values() {
        return option;
    }
    let with_commas = WITH_COMMAS.contains(&option.get_id().as_str());
    let option = match option.get_id().as_str() {
        "validation" => option.help("Share of the training rows to score in place of the holdout [default: 0]"),
        "patience" => option.hide(true), // Refused, with its reason, when it is given.
        _ => option,
    };
    let option = option.action(ArgAction::Append);
    if with_commas { option } else { option.value_delimiter(',') }
}

impl Args for RecipeLists {
    fn augment_args(command: Command) -> Command {
        recipe_options().into_iter().fold(command, |command, option| command.arg(as_list(option)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for RecipeLists {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut options = Vec::new();
        for option in recipe_options() {
            let (id, name) = (option.get_id().as_str(), option.get_long().unwrap_or_default());
            if matches.value_source(id) != Some(ValueSource::CommandLine) {
                continue;
            }
            let values = matches.get_raw(id).into_iter().flatten();
            options.push(match option.get_action().takes_values() {
                true => values.map(|value| format!("--{name}={}", value.to_string_lossy())).collect(),
                false => vec![format!("--{name}")],
            });
        }
        Ok(Self { options })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
