//! Which records are stages of one request, and which of them stands for it.
//!
//! A request is shown at its first answer: ResponseStarted, else ResponseComplete or Panic, else RequestReceived
//! while nothing else has come. So its time does not move when an exec ends forty minutes later.

use crate::model::{EventId, Stage};

/// The part a record plays in its request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Slot {
    /// RequestReceived
    Received = 0,
    /// ResponseStarted
    Started = 1,
    /// ResponseComplete or Panic
    Finished = 2,
}

impl Slot {
    /// The part of a record of this stage; none for a stage nobody knows, which is shown by itself.
    pub fn of(stage: Stage) -> Option<Slot> {
        match stage {
            Stage::RequestReceived => Some(Slot::Received),
            Stage::ResponseStarted => Some(Slot::Started),
            Stage::ResponseComplete | Stage::Panic => Some(Slot::Finished),
            Stage::Unknown => None,
        }
    }
}

/// The records of one request: rows while a segment is built, ids in the store.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stages<T> {
    slots: [Option<T>; 3],
}

/// Records of one request within one segment.
pub type StageRows = Stages<u32>;

/// Records of one request across segments.
pub type StageIds = Stages<EventId>;

impl<T> Default for Stages<T> {
    fn default() -> Self {
        Self { slots: [None, None, None] }
    }
}

impl<T: Copy + PartialEq> Stages<T> {
    /// A request of which one record is known.
    pub fn only(slot: Slot, record: T) -> Self {
        let mut stages = Self { slots: [None; 3] };
        stages.set(slot, record);
        stages
    }

    /// The record that plays this part.
    pub fn get(&self, slot: Slot) -> Option<T> {
        self.slots[slot as usize]
    }

    /// Gives a part to a record.
    pub fn set(&mut self, slot: Slot, record: T) {
        self.slots[slot as usize] = Some(record);
    }

    /// The record that stands for the request.
    pub fn shown(&self) -> Option<T> {
        let [received, started, finished] = self.slots;
        started.or(finished).or(received)
    }

    /// The record that ended the request, when it is not the one that stands for it.
    pub fn ending(&self) -> Option<T> {
        self.get(Slot::Finished).filter(|end| Some(*end) != self.shown())
    }

    /// All records, in the order of their stages.
    pub fn rows(&self) -> impl Iterator<Item = T> {
        self.slots.into_iter().flatten()
    }

    /// Each part that is played, with its record.
    pub fn parts(&self) -> impl Iterator<Item = (Slot, T)> {
        [Slot::Received, Slot::Started, Slot::Finished]
            .into_iter()
            .zip(self.slots)
            .filter_map(|(slot, record)| record.map(|r| (slot, r)))
    }

    /// The same with each record replaced.
    pub fn map<U>(&self, replace: impl FnMut(T) -> U) -> Stages<U> {
        let mut replace = replace;
        Stages { slots: self.slots.map(|slot| slot.map(&mut replace)) }
    }

    /// Takes out the records for which `gone` holds.
    pub fn remove(&mut self, gone: impl Fn(T) -> bool) {
        for slot in &mut self.slots {
            if slot.is_some_and(&gone) {
                *slot = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_shown_at_its_first_answer() {
        let mut stages = Stages::only(Slot::Received, 1);
        assert_eq!((stages.shown(), stages.ending()), (Some(1), None));
        stages.set(Slot::Finished, 3);
        assert_eq!((stages.shown(), stages.ending()), (Some(3), None), "an ordinary request");
        stages.set(Slot::Started, 2);
        assert_eq!((stages.shown(), stages.ending()), (Some(2), Some(3)), "a watch that ended");
        stages.remove(|row| row == 2);
        assert_eq!(stages.shown(), Some(3));
    }
}
