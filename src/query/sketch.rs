//! Percentiles of lengths of time in little memory: counts in buckets whose width grows with their value.

use crate::model::Micros;

/// Values below this have a bucket each.
const EXACT: u64 = 64;
/// Buckets between two powers of two: a bucket is at most 1/32 as wide as its least value, so that its middle is at
/// most 1/64 off.
const STEPS: u64 = 32;

/// Counts of values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sketch {
    /// Bucket and count, ascending.
    counts: Vec<(u16, u32)>,
    total: u64,
}

impl Sketch {
    /// Counts one value; negative ones, which only clocks that run backwards make, as 0.
    pub fn add(&mut self, value: Micros) {
        self.add_many(bucket_of(u64::try_from(value).unwrap_or(0)), 1);
    }

    fn add_many(&mut self, bucket: u16, count: u32) {
        self.total += u64::from(count);
        match self.counts.binary_search_by_key(&bucket, |(b, _)| *b) {
            Ok(at) => self.counts[at].1 = self.counts[at].1.saturating_add(count),
            Err(at) => self.counts.insert(at, (bucket, count)),
        }
    }

    /// Adds all that another one counted.
    pub fn merge(&mut self, other: &Sketch) {
        for (bucket, count) in &other.counts {
            self.add_many(*bucket, *count);
        }
    }

    /// How many values were counted.
    pub fn len(&self) -> u64 {
        self.total
    }

    /// Whether none was.
    pub fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// The value that the given share of all values (0 to 1) does not exceed, at most 1/64 off; `None` of no values.
    pub fn percentile(&self, share: f64) -> Option<Micros> {
        let wanted = ((self.total as f64 * share).ceil() as u64).clamp(1, self.total.max(1));
        let mut seen = 0;
        self.counts.iter().find_map(|(bucket, count)| {
            seen += u64::from(*count);
            (seen >= wanted).then(|| middle_of(*bucket))
        })
    }

    /// Bytes held on the heap.
    pub fn memory_bytes(&self) -> usize {
        self.counts.capacity() * size_of::<(u16, u32)>()
    }
}

fn bucket_of(value: u64) -> u16 {
    if value < EXACT {
        return value as u16;
    }
    let power = u64::from(value.ilog2());
    let step = (value >> (power - 5)) - STEPS;
    (EXACT + (power - 6) * STEPS + step) as u16
}

fn middle_of(bucket: u16) -> Micros {
    let bucket = u64::from(bucket);
    if bucket < EXACT {
        return bucket as Micros;
    }
    let (power, step) = ((bucket - EXACT) / STEPS + 6, (bucket - EXACT) % STEPS);
    let width = 1u64 << (power - 5);
    Micros::try_from((STEPS + step) * width + width / 2).unwrap_or(Micros::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn percentiles_are_close(mut values in prop::collection::vec(0..10_000_000_000i64, 1..300), share in 0.0..1.0f64) {
            let mut sketch = Sketch::default();
            let mut halves = [Sketch::default(), Sketch::default()];
            for (at, value) in values.iter().enumerate() {
                sketch.add(*value);
                halves[at % 2].add(*value);
            }
            values.sort_unstable();
            let at = ((values.len() as f64 * share).ceil() as usize).clamp(1, values.len()) - 1;
            let found = sketch.percentile(share).unwrap();
            prop_assert!((found - values[at]).abs() as f64 <= values[at] as f64 / 64.0 + 0.5, "{found} {}", values[at]);
            let [mut one, other] = halves;
            one.merge(&other);
            prop_assert_eq!(one, sketch);
        }
    }

    #[test]
    fn edges() {
        assert_eq!(Sketch::default().percentile(0.5), None);
        for value in [0, 1, 63, 64, 65, 127, 128, i64::MAX, -5] {
            let mut sketch = Sketch::default();
            sketch.add(value);
            let found = sketch.percentile(0.99).unwrap();
            assert!(
                (found - value.max(0)).abs() as f64 <= value.max(0) as f64 / 64.0 + 0.5,
                "{value} {found}"
            );
        }
    }
}
