//! Columns of a segment: one value a row, held as narrowly as the values allow once the segment is sealed.

use super::bits::Bitset;
use super::dictionary::Symbol;
use crate::model::Micros;

/// Symbols, one a row. Most columns of a segment have fewer than 256 distinct strings, many just one.
#[derive(Debug)]
pub enum SymbolColumn {
    /// Every row has the same symbol.
    Constant(Symbol, u32),
    /// Symbols below 256.
    Byte(Vec<u8>),
    /// Any symbols; what a column under construction always is.
    Wide(Vec<Symbol>),
}

impl Default for SymbolColumn {
    fn default() -> Self {
        SymbolColumn::Wide(Vec::new())
    }
}

impl SymbolColumn {
    /// The symbol of `row`; the empty string's past the end.
    pub fn get(&self, row: u32) -> Symbol {
        match self {
            SymbolColumn::Constant(symbol, _) => *symbol,
            SymbolColumn::Byte(rows) => rows.get(row as usize).copied().unwrap_or(0).into(),
            SymbolColumn::Wide(rows) => rows.get(row as usize).copied().unwrap_or(0),
        }
    }

    /// Appends a symbol. Only a column under construction grows; a sealed one is widened first.
    pub fn push(&mut self, symbol: Symbol) {
        if let SymbolColumn::Wide(rows) = self {
            rows.push(symbol);
            return;
        }
        let len = match self {
            SymbolColumn::Constant(_, len) => *len,
            SymbolColumn::Byte(rows) => rows.len() as u32,
            SymbolColumn::Wide(_) => return,
        };
        let mut wide: Vec<Symbol> = (0..len).map(|row| self.get(row)).collect();
        wide.push(symbol);
        *self = SymbolColumn::Wide(wide);
    }

    /// The rows whose symbol is in `wanted`.
    pub fn rows_in(&self, wanted: &Bitset) -> Bitset {
        match self {
            SymbolColumn::Constant(symbol, len) if wanted.get(u32::from(*symbol)) => Bitset::all(*len),
            SymbolColumn::Constant(_, len) => Bitset::none(*len),
            SymbolColumn::Byte(rows) => {
                let mut table = [false; 256];
                for (symbol, slot) in table.iter_mut().enumerate() {
                    *slot = wanted.get(symbol as u32);
                }
                Bitset::from_column(rows, |symbol| table[usize::from(symbol)])
            }
            SymbolColumn::Wide(rows) => Bitset::from_column(rows, |symbol| wanted.get(u32::from(symbol))),
        }
    }

    /// Narrows the column to what its values need.
    pub fn seal(&mut self) {
        let SymbolColumn::Wide(rows) = self else { return };
        let (low, high) = rows.iter().fold((Symbol::MAX, 0), |(low, high), s| (low.min(*s), high.max(*s)));
        *self = match rows.as_slice() {
            [] => SymbolColumn::Constant(0, 0),
            [first, ..] if low == high => SymbolColumn::Constant(*first, rows.len() as u32),
            _ if high < 256 => SymbolColumn::Byte(rows.iter().map(|s| *s as u8).collect()),
            _ => SymbolColumn::Wide(rows.as_slice().into()),
        };
    }

    /// Bytes held on the heap.
    pub fn memory_bytes(&self) -> usize {
        match self {
            SymbolColumn::Constant(..) => 0,
            SymbolColumn::Byte(rows) => rows.capacity(),
            SymbolColumn::Wide(rows) => rows.capacity() * 2,
        }
    }
}

/// Signed numbers of up to 64 bits, one a row, held as 32-bit distances from their least once sealed, when they fit.
#[derive(Debug)]
pub enum NumberColumn {
    /// `base + offset`.
    Narrow {
        /// The least value.
        base: i64,
        /// Distance from it, a row.
        offsets: Vec<u32>,
    },
    /// The values themselves.
    Wide(Vec<i64>),
}

impl Default for NumberColumn {
    fn default() -> Self {
        NumberColumn::Wide(Vec::new())
    }
}

impl NumberColumn {
    /// The value of `row`; 0 past the end.
    pub fn get(&self, row: u32) -> Micros {
        match self {
            NumberColumn::Narrow { base, offsets } => {
                offsets.get(row as usize).map_or(0, |offset| base + i64::from(*offset))
            }
            NumberColumn::Wide(rows) => rows.get(row as usize).copied().unwrap_or(0),
        }
    }

    /// Appends a value; a sealed column is widened first.
    pub fn push(&mut self, value: i64) {
        match self {
            NumberColumn::Wide(rows) => rows.push(value),
            NumberColumn::Narrow { base, offsets } => {
                let mut wide: Vec<i64> = offsets.iter().map(|o| *base + i64::from(*o)).collect();
                wide.push(value);
                *self = NumberColumn::Wide(wide);
            }
        }
    }

    /// The rows whose value passes `test`.
    pub fn rows_where(&self, test: impl Fn(i64) -> bool) -> Bitset {
        match self {
            NumberColumn::Narrow { base, offsets } => {
                Bitset::from_column(offsets, |offset| test(base + i64::from(offset)))
            }
            NumberColumn::Wide(rows) => Bitset::from_column(rows, test),
        }
    }

    /// Narrows the column when its values lie within 32 bits of each other.
    pub fn seal(&mut self) {
        let NumberColumn::Wide(rows) = self else { return };
        let (Some(low), Some(high)) = (rows.iter().min().copied(), rows.iter().max().copied()) else {
            return;
        };
        *self = match high.checked_sub(low).map(u32::try_from) {
            Some(Ok(_)) => {
                NumberColumn::Narrow { base: low, offsets: rows.iter().map(|v| (v - low) as u32).collect() }
            }
            _ => NumberColumn::Wide(rows.as_slice().into()),
        };
    }

    /// Bytes held on the heap.
    pub fn memory_bytes(&self) -> usize {
        match self {
            NumberColumn::Narrow { offsets, .. } => offsets.capacity() * 4,
            NumberColumn::Wide(rows) => rows.capacity() * 8,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sealing_keeps_every_value() {
        for values in [vec![7u16; 5], vec![0, 255, 3], vec![0, 256, 65_535], vec![]] {
            let mut column = SymbolColumn::default();
            values.iter().for_each(|v| column.push(*v));
            column.seal();
            assert_eq!((0..values.len() as u32).map(|r| column.get(r)).collect::<Vec<_>>(), values);
            column.push(9);
            assert_eq!(column.get(values.len() as u32), 9, "a sealed column can be widened");
        }
        for values in
            [vec![-5i64, 10], vec![i64::MIN, i64::MAX], vec![1_700_000_000_000_000, 1_700_000_001_000_000]]
        {
            let mut column = NumberColumn::default();
            values.iter().for_each(|v| column.push(*v));
            column.seal();
            assert_eq!((0..values.len() as u32).map(|r| column.get(r)).collect::<Vec<_>>(), values);
        }
    }

    #[test]
    fn rows_in_agrees_with_get() {
        for limit in [1u16, 200, 5000] {
            let mut column = SymbolColumn::default();
            (0..1000u16).for_each(|i| column.push(i.wrapping_mul(31) % limit));
            column.seal();
            let wanted = Bitset::from_fn(u32::from(limit), |s| s % 3 == 0);
            let rows = column.rows_in(&wanted);
            for row in 0..1000 {
                assert_eq!(rows.get(row), column.get(row) % 3 == 0, "{limit} {row}");
            }
        }
    }
}
