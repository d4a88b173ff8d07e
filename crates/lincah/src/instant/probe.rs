//! A logistic regression on standardized states, and its file.

use crate::error::Error;
use crate::regression::{DenseRow, FitOptions, LabelRegressions};
use crate::task::Task;
use lincah_model::new_file::write_atomically;
use lincah_model::{regular_file, sha256};
use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};
use std::path::Path;

/// States that do not vary by so much are left out.
const LEAST_DEVIATION: f64 = 1e-9;

/// What embeddings' cosines are multiplied by, as in the training of these encoders (sentence-transformers' `MultipleNegativesRankingLoss`).
const SIMILARITY_SCALE: f64 = 20.0;

/// Takes the mean from every number and divides by the deviation, and by the root of the width, so that a row's length is about 1 whatever the
/// model.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Standardization {
    mean: Vec<f64>,
    /// One over the deviation and the root of the width; 0 where there is none.
    factor: Vec<f64>,
}

impl Standardization {
    /// That of rows, of which there is at least one.
    pub(crate) fn of<R: AsRef<[f64]>>(rows: &[R]) -> Self {
        let (count, width) = (rows.len() as f64, rows[0].as_ref().len());
        let mut mean = vec![0.0; width];
        rows.iter().for_each(|row| mean.iter_mut().zip(row.as_ref()).for_each(|(mean, value)| *mean += value / count));
        let mut squares = vec![0.0; width];
        for row in rows {
            squares
                .iter_mut()
                .zip(row.as_ref().iter().zip(&mean))
                .for_each(|(sum, (value, mean))| *sum += (value - mean) * (value - mean));
        }
        let factor = |square: f64| {
            let deviation = (square / count).sqrt();
            if deviation < LEAST_DEVIATION { 0.0 } else { 1.0 / (deviation * (width as f64).sqrt()) }
        };
        Self { mean, factor: squares.into_iter().map(factor).collect() }
    }

    pub(crate) fn apply(&self, row: &DenseRow) -> DenseRow {
        row.iter().zip(self.mean.iter().zip(&self.factor)).map(|(value, (mean, factor))| (value - mean) * factor).collect()
    }
}

/// A logistic regression for all exclusive labels, or one per independent label, on standardized states.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Probe {
    task: Task,
    labels: usize,
    standardization: Standardization,
    regressions: LabelRegressions,
}

impl Probe {
    /// Fits to rows of states with truth `[rows][labels]`, each as much as its weight says if there are any.
    pub(crate) fn fit(
        (task, truth): (Task, &[Vec<bool>]),
        weights: Option<&[f64]>,
        rows: &[DenseRow],
        options: FitOptions,
    ) -> Self {
        let standardization = Standardization::of(rows);
        let rows: Vec<DenseRow> = rows.iter().map(|row| standardization.apply(row)).collect();
        let regressions = LabelRegressions::fit_weighted((task, truth), weights, (&rows, rows[0].len()), options, None);
        Self { task, labels: truth[0].len(), standardization, regressions }
    }

    /// The softmax of [`SIMILARITY_SCALE`] times the cosine between a text's embedding and that of each exclusive label's name, both of
    /// length 1: no row is needed to fit it. # Shapes: names `[labels][D]`.
    pub(crate) fn of_similarity(names: &[DenseRow]) -> Option<Self> {
        let (labels, width) = (names.len(), names.first()?.len());
        let vector = |name: &DenseRow| name.iter().map(|value| SIMILARITY_SCALE * value).collect::<Vec<f64>>();
        let vectors: Vec<Vec<f64>> = match names.iter().map(vector).collect::<Vec<_>>().as_slice() {
            [first, second] => vec![second.iter().zip(first).map(|(second, first)| second - first).collect()],
            vectors => vectors.to_vec(),
        };
        let parameters: Vec<f64> = vectors.into_iter().flat_map(|vector| vector.into_iter().chain([0.0])).collect();
        let regressions = LabelRegressions::from_parameters(Task::SingleLabel, labels, width, &parameters)?;
        let standardization = Standardization { mean: vec![0.0; width], factor: vec![1.0; width] };
        Some(Self { task: Task::SingleLabel, labels, standardization, regressions })
    }

    /// The probability of each label.
    pub(crate) fn probabilities(&self, states: &DenseRow) -> Vec<f64> {
        self.regressions.probabilities(&self.standardization.apply(states))
    }

    /// The probe as a safetensors file: `mean` and `factor` `[D]`, `regressions` `[vectors, D + 1]`, each vector with its intercept last.
    fn to_bytes(&self) -> Vec<u8> {
        let width = self.standardization.mean.len();
        let parameters = self.regressions.parameters();
        let tensors = [
            ("factor", vec![width], &self.standardization.factor),
            ("mean", vec![width], &self.standardization.mean),
            ("regressions", vec![parameters.len() / (width + 1), width + 1], &parameters),
        ];
        let owned = tensors
            .map(|(name, shape, values)| (name, shape, values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>()));
        let views = owned.iter().map(|(name, shape, bytes)| {
            (*name, TensorView::new(Dtype::F64, shape.clone(), bytes).expect("the bytes are those of the shape"))
        });
        serialize(views, None).expect("the names are few and short")
    }

    /// SHA-256 of the file that it is written as.
    pub(crate) fn sha256(&self) -> String {
        sha256::of_bytes(self.to_bytes())
    }

    pub(crate) fn write(&self, path: &Path) -> Result<(), Error> {
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).map_err(Error::file("create", path))?;
        write_atomically(path, &self.to_bytes()).map_err(Error::file("write", path))
    }

    /// Reads the probe of so many labels, on states of `width` numbers, with this SHA-256.
    pub(crate) fn read(path: &Path, (task, labels): (Task, usize), width: usize, expected: &str) -> Result<Self, Error> {
        let damaged = |reason: &str| Error::Damaged { path: path.to_path_buf(), reason: String::from(reason) };
        let bytes = regular_file::read(path, regular_file::SMALL).map_err(Error::file("read", path))?;
        if sha256::of_bytes(&bytes) != expected {
            return Err(damaged("it is not the probe that the classifier was saved with"));
        }
        let tensors = SafeTensors::deserialize(&bytes).map_err(|error| damaged(&error.to_string()))?;
        let numbers = |name: &str, length: usize| {
            let tensor = tensors.tensor(name).map_err(|error| damaged(&error.to_string()))?;
            let values: Vec<f64> = tensor.data().as_chunks::<8>().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect();
            let fits = tensor.dtype() == Dtype::F64 && values.len() == length && values.iter().all(|value| value.is_finite());
            if fits { Ok(values) } else { Err(damaged(&format!("`{name}` is not {length} finite numbers of 64 bits"))) }
        };
        let standardization = Standardization { mean: numbers("mean", width)?, factor: numbers("factor", width)? };
        let parameters = numbers("regressions", LabelRegressions::parameter_count(task, labels, width))?;
        let regressions = LabelRegressions::from_parameters(task, labels, width, &parameters)
            .ok_or_else(|| damaged("its regressions are not of these labels"))?;
        Ok(Self { task, labels, standardization, regressions })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::regression::EXACT;

    #[test]
    fn similarity_is_the_softmax_of_scaled_cosines() {
        let names = [vec![1.0, 0.0], vec![0.0, 1.0], vec![0.6, 0.8]];
        for labels in [2, 3] {
            let found = Probe::of_similarity(&names[..labels]).unwrap().probabilities(&vec![0.8, 0.6]);
            let powers: Vec<f64> = [0.8f64, 0.6, 0.96][..labels].iter().map(|cosine| (20.0 * cosine).exp()).collect();
            let sum: f64 = powers.iter().sum();
            assert!(found.iter().zip(&powers).all(|(found, power)| (found - power / sum).abs() < 1e-12), "{found:?}");
        }
        assert_eq!(Probe::of_similarity(&[]), None);
    }

    #[test]
    fn a_probe_comes_back_from_its_file_and_a_damaged_one_is_refused() {
        let rows: Vec<DenseRow> = (0..30).map(|i| vec![f64::from(i % 5), 7.0, f64::from(i * i % 11)]).collect();
        for (task, labels) in [(Task::SingleLabel, 2), (Task::SingleLabel, 3), (Task::MultiLabel, 2)] {
            let truth: Vec<Vec<bool>> = (0..30).map(|i| (0..labels).map(|label| i % labels == label).collect()).collect();
            let probe = Probe::fit((task, &truth), None, &rows, FitOptions { penalty: 0.1, tolerance: EXACT });
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("members/0/probe.safetensors");
            probe.write(&path).unwrap();
            let read = |width, sha256: &str| Probe::read(&path, (task, labels), width, sha256);
            assert_eq!(read(3, &probe.sha256()).unwrap(), probe);
            assert!(read(3, "0").unwrap_err().to_string().contains("not the probe"));
            assert!(read(4, &probe.sha256()).unwrap_err().to_string().contains("`mean` is not 4 finite numbers"));
            let sum: f64 = probe.probabilities(&rows[4]).iter().sum();
            assert!(task == Task::MultiLabel || (sum - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn standardized_rows_have_no_mean_and_length_one() {
        let rows: Vec<DenseRow> = (0..50).map(|i| vec![f64::from(i), 3.0, f64::from(i % 7) * 1e6]).collect();
        let standardization = Standardization::of(&rows);
        let rows: Vec<DenseRow> = rows.iter().map(|row| standardization.apply(row)).collect();
        let squares: f64 = rows.iter().flatten().map(|value| value * value).sum();
        // Two of three columns vary.
        assert!((squares / 50.0 - 2.0 / 3.0).abs() < 1e-9);
        assert!(rows.iter().all(|row| row[1] == 0.0));
        assert!((0..3).all(|column| rows.iter().map(|row| row[column]).sum::<f64>().abs() < 1e-9));
    }
}
