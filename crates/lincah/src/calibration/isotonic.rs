//! Rising steps.

/// The non-falling function that is nearest to `targets` in squares, by pooling adjacent violators, as scikit-learn's `IsotonicRegression`
/// with `out_of_bounds="clip"`: values with one score are averaged first, and of a run of one value only its ends are kept.
///
/// # Shapes
/// scores and targets `[rows]`; the results, scores and their values, one per kept point.
pub(super) fn fit_isotonic(scores: &[f64], targets: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&left, &right| scores[left].total_cmp(&scores[right]));
    // Blocks: sum of targets, rows, and the scores in it.
    let mut blocks: Vec<(f64, f64, Vec<f64>)> = Vec::new();
    for tied in order.chunk_by(|&left, &right| scores[left] == scores[right]) {
        let sum = tied.iter().map(|&row| targets[row]).sum::<f64>();
        blocks.push((sum, tied.len() as f64, vec![scores[tied[0]]]));
        while let [.., before, last] = blocks.as_slice() {
            if before.0 / before.1 < last.0 / last.1 {
                break;
            }
            let (sum, rows, scores) = blocks.pop().expect("there are two");
            let before = blocks.last_mut().expect("there are two");
            before.0 += sum;
            before.1 += rows;
            before.2.extend(scores);
        }
    }
    let ends = |(sum, rows, scores): &(f64, f64, Vec<f64>)| {
        let value = sum / rows;
        let (first, last) = (scores[0], scores[scores.len() - 1]);
        if first == last { vec![(first, value)] } else { vec![(first, value), (last, value)] }
    };
    blocks.iter().flat_map(ends).unzip()
}

/// Straight lines between the points, and the ends' values beyond them.
pub(super) fn interpolated(from: &[f64], to: &[f64], value: f64) -> f64 {
    let above = from.partition_point(|&point| point < value);
    match above {
        0 => to[0],
        _ if above == from.len() => to[above - 1],
        _ => {
            let share = (value - from[above - 1]) / (from[above] - from[above - 1]);
            to[above - 1] + share * (to[above] - to[above - 1])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_rise_and_ties_are_averaged() {
        let (from, to) = fit_isotonic(&[0.1, 0.2, 0.2, 0.3, 0.4, 0.9], &[0.0, 1.0, 0.0, 0.0, 1.0, 1.0]);
        assert_eq!(from, [0.1, 0.2, 0.3, 0.4, 0.9]);
        let expected = [0.0, 1.0 / 3.0, 1.0 / 3.0, 1.0, 1.0];
        assert!(to.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-12), "{to:?}");
        assert_eq!(interpolated(&from, &to, 0.0), 0.0);
        assert_eq!(interpolated(&from, &to, 1.0), 1.0);
        assert!((interpolated(&from, &to, 0.15) - 1.0 / 6.0).abs() < 1e-12);
    }
}
