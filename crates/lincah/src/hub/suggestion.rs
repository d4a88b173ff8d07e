//! Which names of the catalogue a user may have meant.

use super::catalogue::{CatalogueEntry, Origin};

const MOST: usize = 3;
/// From which likeness on a name is suggested; 1 is the same, and names that share only some letters have about 0.5.
const LEAST_LIKENESS: f64 = 0.85;

/// The names most like `model`, which may be a repository of the Hub (`google/gemma-3-270m`), best first.
pub(super) fn nearest(model: &str, catalogue: &[CatalogueEntry]) -> Vec<&'static str> {
    let asked = last_part(model).to_lowercase();
    let mut likenesses: Vec<(f64, &'static str)> = catalogue
        .iter()
        .map(|entry| {
            let repositories = entry.origins.iter().filter_map(|origin| match origin {
                Origin::Hub { repository, .. } => Some(last_part(repository)),
                Origin::Wheels(_) => None,
            });
            let names = std::iter::once(entry.name).chain(repositories).map(str::to_lowercase);
            let likeness = names.map(|name| strsim::jaro_winkler(&asked, &name)).fold(0.0, f64::max);
            (likeness, entry.name)
        })
        .filter(|(likeness, _)| *likeness >= LEAST_LIKENESS)
        .collect();
    // Of equal ones the catalogue's first comes first.
    likenesses.sort_by(|one, other| other.0.total_cmp(&one.0));
    likenesses.into_iter().take(MOST).map(|(_, name)| name).collect()
}

fn last_part(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::super::catalogue;
    use super::*;

    #[test]
    fn names_of_the_hub_and_misspelled_ones_are_understood() {
        let first = |model: &str| nearest(model, catalogue()).first().copied();
        assert_eq!(first("google/gemma-3-270m"), Some("gemma-3-270m"));
        assert_eq!(nearest("google/gemma-3-270m", catalogue())[1], "gemma-3-270m-bf16");
        assert_eq!(first("HuggingFaceTB/SmolLM2-360M-Instruct"), Some("smollm2-360m"));
        assert_eq!(first("smolm2-135m"), Some("smollm2-135m"));
        assert_eq!(first("Gemma-2B-IT"), Some("gemma-2b-it"));
        for stranger in ["bert-base-uncased", "x", "", "data.csv"] {
            assert_eq!(first(stranger), None, "{stranger}");
        }
    }
}
