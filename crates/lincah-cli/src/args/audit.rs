//! Options of `lincah audit`.

use super::{DataArguments, HoldoutArguments, TrainingRowsArguments};
use clap::Args;
use lincah::audit::AuditPlan;
use lincah::gate::Gate;
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  lincah audit civility suite.csv --text comment --label label --functionality what\n  \
lincah audit civility hatecheck.csv --text test_case --label label_gold --label-map hateful=uncivil,non-hateful=civil \
--functionality functionality --group target_ident --robustness --fail-under worst_functionality=0.5\n\
  lincah audit civility november.csv --text comment --drift october.csv\n\n\
--group names whom each row is about; here it keeps no holdout together. Figures for --fail-under: accuracy, worst_functionality, \
worst_group, identity_auc, flips, and functionality:NAME, group:NAME, flips:KIND.",
    mut_arg("file", |file| file.required(true)),
    mut_arg("text", |text| text.required(true)),
    mut_arg("group", |group| group.help("Column of whom each row is about: accuracy of each, and how well each is told apart"))
)]
pub(crate) struct Audit {
    /// Classifier folder
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    #[command(flatten)]
    pub(crate) data: DataArguments,
    #[command(flatten)]
    pub(crate) holdout: HoldoutArguments,
    #[command(flatten)]
    pub(crate) training_rows: TrainingRowsArguments,
    /// Column of what each row tests
    #[arg(long, value_name = "COLUMN")]
    functionality: Option<String>,
    /// Columns whose values are compared with the rest of the rows
    #[arg(long, value_delimiter = ',', value_name = "COLUMNS")]
    slice: Vec<String>,
    /// Words that make a group each of the texts that have them
    #[arg(long, value_delimiter = ',', value_name = "WORDS")]
    terms: Vec<String>,
    /// Compare DATA, which needs no labels then, with the texts of this file: do scores and the share of each label drift?
    #[arg(long, value_name = "BEFORE", conflicts_with_all = ["label", "multi_label", "functionality", "group", "slice", "terms", "robustness", "fail_under", "holdout", "holdout_after"])]
    pub(crate) drift: Option<PathBuf>,
    /// Score the texts written otherwise, too: leetspeak, look-alike and invisible characters, spaces, capitals, typos, emoji
    #[arg(long)]
    pub(crate) robustness: bool,
    /// Most texts to write otherwise, drawn by --seed
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub(crate) robustness_rows: usize,
    /// Decides which texts are drawn and which of their letters change
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    pub(crate) seed: u32,
    /// Exit with 1 where a figure is worse than its limit
    #[arg(long, value_name = "FIGURE=X,...")]
    pub(crate) fail_under: Option<Gate>,
    /// Base model, if it is not where it was in training: a name, a folder, or a GGUF file
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

impl Audit {
    /// What is to be looked at.
    pub(crate) fn plan(&self) -> AuditPlan {
        AuditPlan {
            functionality: self.functionality.clone(),
            group: self.holdout.split.group.clone(),
            slices: self.slice.clone(),
            terms: self.terms.clone(),
        }
    }
}
