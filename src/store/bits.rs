//! A set of row numbers as bits: what a filter found in a segment, and which rows of it are shown at all.

/// A fixed-length set of small numbers. Bits past the length are always zero.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Bitset {
    words: Vec<u64>,
    len: u32,
}

/// The bits of 64 bytes that are 0 or 1, the first one lowest.
pub(crate) fn packed(flags: &[u8; 64]) -> u64 {
    // Moves the lowest bit of byte `i` to bit `56 + i`: it is shifted by `56 - 7 * i`, and no two products meet.
    const GATHER: u64 = 0x0102_0408_1020_4080;
    let (bytes, _) = flags.as_chunks::<8>();
    let gathered = bytes.iter().map(|eight| u64::from_le_bytes(*eight).wrapping_mul(GATHER) >> 56);
    gathered.rev().fold(0, |word, byte| word << 8 | byte)
}

impl Bitset {
    /// A set over `0..len` with nothing in it.
    pub fn none(len: u32) -> Self {
        Self { words: vec![0; len.div_ceil(64) as usize], len }
    }

    /// A set over `0..len` with everything in it.
    pub fn all(len: u32) -> Self {
        let mut set = Self { words: vec![u64::MAX; len.div_ceil(64) as usize], len };
        set.clear_tail();
        set
    }

    /// Builds a set by asking `test` for each number.
    pub fn from_fn(len: u32, mut test: impl FnMut(usize) -> bool) -> Self {
        let mut words = Vec::with_capacity(len.div_ceil(64) as usize);
        let mut row = 0usize;
        let len_rows = len as usize;
        while row < len_rows {
            let end = (row + 64).min(len_rows);
            let mut word = 0u64;
            for (bit, index) in (row..end).enumerate() {
                word |= u64::from(test(index)) << bit;
            }
            words.push(word);
            row = end;
        }
        Self { words, len }
    }

    /// Builds a set over a column by asking `test` for each value.
    pub fn from_column<T: Copy>(column: &[T], test: impl Fn(T) -> bool) -> Self {
        let mut words = Vec::with_capacity(column.len().div_ceil(64));
        let (whole, rest) = column.as_chunks::<64>();
        // Answers are gathered first and packed then: compilers compare many values at once, but shift bits one by one.
        words.extend(whole.iter().map(|rows| packed(&rows.map(|value| u8::from(test(value))))));
        if !rest.is_empty() {
            let bits = rest.iter().enumerate();
            words.push(bits.fold(0, |word, (bit, value)| word | u64::from(test(*value)) << bit));
        }
        Self { words, len: column.len() as u32 }
    }

    fn clear_tail(&mut self) {
        let used = self.len % 64;
        if used != 0
            && let Some(last) = self.words.last_mut()
        {
            *last &= (1 << used) - 1;
        }
    }

    /// How many numbers the set ranges over.
    pub fn len(&self) -> u32 {
        self.len
    }

    /// Whether it ranges over nothing.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether `index` is in the set; false past the length.
    pub fn get(&self, index: u32) -> bool {
        self.words.get(index as usize / 64).is_some_and(|w| w >> (index % 64) & 1 == 1)
    }

    /// Puts `index` in or takes it out; past the length nothing happens.
    pub fn set(&mut self, index: u32, value: bool) {
        if index >= self.len {
            return;
        }
        let bit = 1u64 << (index % 64);
        let word = &mut self.words[index as usize / 64];
        *word = if value { *word | bit } else { *word & !bit };
    }

    /// Appends one number.
    pub fn push(&mut self, value: bool) {
        if self.len.is_multiple_of(64) {
            self.words.push(0);
        }
        self.len += 1;
        self.set(self.len - 1, value);
    }

    /// How many numbers are in the set.
    pub fn count(&self) -> u32 {
        self.words.iter().map(|w| w.count_ones()).sum()
    }

    /// How many numbers in `low..=high` are in the set.
    pub fn count_range(&self, low: u32, high: u32) -> u32 {
        if low > high || low >= self.len {
            return 0;
        }
        let high = high.min(self.len - 1);
        let (first, last) = (low as usize / 64, high as usize / 64);
        let head = u64::MAX << (low % 64);
        let tail = u64::MAX >> (63 - high % 64);
        if first == last {
            return (self.words[first] & head & tail).count_ones();
        }
        let middle: u32 = self.words[first + 1..last].iter().map(|w| w.count_ones()).sum();
        (self.words[first] & head).count_ones() + middle + (self.words[last] & tail).count_ones()
    }

    /// Whether nothing is in the set.
    pub fn is_clear(&self) -> bool {
        self.words.iter().all(|w| *w == 0)
    }

    /// Keeps what is in `other` too.
    pub fn and(&mut self, other: &Bitset) {
        self.words.truncate(other.words.len());
        self.len = self.len.min(other.len);
        for (a, b) in self.words.iter_mut().zip(&other.words) {
            *a &= b;
        }
        self.clear_tail();
    }

    /// Takes out what is in `other`.
    pub fn and_not(&mut self, other: &Bitset) {
        for (a, b) in self.words.iter_mut().zip(&other.words) {
            *a &= !b;
        }
    }

    /// Adds what is in `other`, as far as the length goes.
    pub fn or(&mut self, other: &Bitset) {
        for (a, b) in self.words.iter_mut().zip(&other.words) {
            *a |= b;
        }
        self.clear_tail();
    }

    /// Replaces the set by what is not in it.
    pub fn invert(&mut self) {
        for word in &mut self.words {
            *word = !*word;
        }
        self.clear_tail();
    }

    /// Makes the set range over `0..len`, new numbers not in it.
    pub fn resize(&mut self, len: u32) {
        self.words.resize(len.div_ceil(64) as usize, 0);
        self.len = len;
        self.clear_tail();
    }

    /// The greatest number in the set that is below `limit`.
    pub fn last_below(&self, limit: u32) -> Option<u32> {
        let highest = limit.min(self.len).checked_sub(1)?;
        let mut index = highest as usize / 64;
        let mut word = self.words.get(index)? & (u64::MAX >> (63 - highest % 64));
        loop {
            if word != 0 {
                return Some(index as u32 * 64 + 63 - word.leading_zeros());
            }
            index = index.checked_sub(1)?;
            word = self.words[index];
        }
    }

    /// The numbers in the set, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.iter_from(0)
    }

    /// The numbers in the set from `first` on, ascending.
    pub fn iter_from(&self, first: u32) -> impl Iterator<Item = u32> + '_ {
        let (index, bit) = (first as usize / 64, first % 64);
        let words = self.words.get(index..).unwrap_or_default().iter().enumerate();
        words.flat_map(move |(at, word)| {
            let mut left = if at == 0 { *word & u64::MAX << bit } else { *word };
            std::iter::from_fn(move || {
                let bit = (left != 0).then(|| left.trailing_zeros())?;
                left &= left - 1;
                Some((index + at) as u32 * 64 + bit)
            })
        })
    }

    /// Bytes held on the heap.
    pub fn memory_bytes(&self) -> usize {
        self.words.capacity() * 8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_and_tails() {
        let set = Bitset::from_fn(200, |i| i % 3 == 0);
        assert_eq!(set.count(), 67);
        for (low, high) in [(0, 199), (5, 5), (6, 6), (63, 64), (60, 190), (199, 500), (10, 3)] {
            let naive = (low..=high.min(199)).filter(|i| i % 3 == 0).count() as u32;
            assert_eq!(set.count_range(low, high), naive, "{low}..={high}");
        }
        let mut inverse = set.clone();
        inverse.invert();
        assert_eq!(inverse.count(), 133, "bits past the length stay zero");
        inverse.and(&set);
        assert!(inverse.is_clear());
        for limit in [0, 1, 3, 4, 64, 65, 128, 199, 500] {
            assert!(set.iter_from(limit).eq(set.iter().filter(|i| *i >= limit)), "{limit}");
            assert_eq!(set.last_below(limit), set.iter().filter(|i| *i < limit).last(), "{limit}");
        }
        assert_eq!(set.iter().take(3).collect::<Vec<_>>(), [0, 3, 6]);
        assert_eq!(Bitset::all(70).count(), 70);
    }

    #[test]
    fn grows_bit_by_bit() {
        let mut set = Bitset::default();
        for i in 0..130 {
            set.push(i % 2 == 0);
        }
        assert_eq!((set.len(), set.count()), (130, 65));
        set.resize(131);
        assert!(!set.get(130) && set.get(128));
    }
}
