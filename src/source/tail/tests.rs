//! The tail against a writer and a rotator in memory: whatever they do and whenever, each line comes once.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::PathBuf;

use proptest::prelude::*;

use super::super::TailEvent;
use super::Tail;
use super::memory::{LIVE, MemoryFileSystem, Step};

/// What happens to a log.
#[derive(Clone, Debug)]
enum Deed {
    Append(u8),
    /// A line in two writes.
    Split,
    /// logrotate's renames and a new file; the writer may write to the old one a little longer.
    RenameByNumber {
        late: bool,
    },
    /// kube-apiserver's rename and a new file.
    RenameByTime {
        late: bool,
    },
    /// The youngest rotated plain file is compressed.
    Compress,
    CopyTruncate,
    /// Only when the reader has the file: nobody can read what was deleted before.
    DeleteAndMake {
        late: bool,
    },
    /// The file is replaced by a copy of itself, as some editors do.
    CopyOver,
    /// The path, a link, points to a new file, or to an old one again.
    Swap {
        late: bool,
        back: Option<prop::sample::Index>,
    },
    /// Looks happen.
    Look {
        during: usize,
        stride: usize,
        wait: u64,
    },
}

fn numbered(number: usize) -> PathBuf {
    format!("{LIVE}.{number}").into()
}

fn packed(path: &std::path::Path) -> PathBuf {
    format!("{}.gz", path.display()).into()
}

/// Writer and rotator.
#[derive(Default)]
struct Cluster {
    fs: MemoryFileSystem,
    written: usize,
    rotations: usize,
    /// Rotated files as they will be called when all steps have been taken, youngest first.
    rotated: Vec<PathBuf>,
    /// What the path has pointed to.
    targets: Vec<PathBuf>,
    /// It points to an old one again, and there was no look since.
    is_back: bool,
}

impl Cluster {
    fn line(&mut self) -> Vec<u8> {
        self.written += 1;
        let padding = "x".repeat(self.written * 37 % 300);
        format!("{{\"kind\":\"Event\",\"apiVersion\":\"audit.k8s.io/v1\",\"auditID\":\"{}\",\"of\":\"{padding}\"}}\n", self.written)
            .into_bytes()
    }

    fn lines(&mut self, count: u8) -> Step {
        Step::Write((0..count).flat_map(|_| self.line()).collect())
    }

    fn copy(
        from: &std::path::Path,
        to: &std::path::Path,
        packed: bool,
    ) -> impl Iterator<Item = Step> + use<> {
        let (from, to) = (from.to_owned(), to.to_owned());
        [0, 1, 3, 4]
            .map(|quarters| Step::Copy { from: from.clone(), to: to.clone(), packed, quarters })
            .into_iter()
    }

    fn stamped(&mut self) -> PathBuf {
        self.rotations += 1;
        format!("/log/audit-2026-01-14T03-{:02}-00.000.log", self.rotations).into()
    }

    /// Makes way for a new `.1`.
    fn shift(&mut self) -> Vec<Step> {
        let mut steps = Vec::new();
        let count = self.rotated.len();
        for (index, path) in self.rotated.iter_mut().enumerate().rev() {
            let gz = path.extension().is_some_and(|extension| extension == "gz");
            let to = if gz { packed(&numbered(index + 2)) } else { numbered(index + 2) };
            steps.push(Step::Rename(std::mem::replace(path, to.clone()), to));
        }
        assert_eq!(steps.len(), count);
        self.rotated.insert(0, numbered(1));
        steps
    }

    fn do_it(&mut self, deed: &Deed) {
        let live = PathBuf::from(LIVE);
        let mut steps = Vec::new();
        match deed {
            Deed::Append(count) => steps.push(self.lines(*count)),
            Deed::Split => {
                let line = self.line();
                let (first, second) = line.split_at(self.written * 31 % line.len());
                steps.extend([Step::Write(first.to_vec()), Step::Write(second.to_vec())]);
            }
            Deed::RenameByNumber { late } => {
                steps = self.shift();
                steps.push(Step::Rename(live, numbered(1)));
                steps.extend(late.then(|| self.lines(1)));
                steps.push(Step::Reopen);
            }
            Deed::RenameByTime { late } => {
                steps.push(Step::Rename(live, self.stamped()));
                steps.extend(late.then(|| self.lines(1)));
                steps.push(Step::Reopen);
            }
            Deed::Compress => {
                let is_plain = |path: &&mut PathBuf| path.extension().is_none_or(|e| e != "gz");
                if let Some(path) = self.rotated.iter_mut().find(is_plain) {
                    let to = packed(path);
                    steps.extend(Self::copy(path, &to, true));
                    steps.push(Step::Remove(std::mem::replace(path, to)));
                }
            }
            Deed::CopyTruncate => {
                steps = self.shift();
                steps.extend(Self::copy(&live, &numbered(1), false));
                steps.push(Step::Truncate(live));
            }
            Deed::DeleteAndMake { late } => {
                self.fs.advance(0, 0);
                if self.fs.is_read() {
                    self.fs.push([Step::Remove(live)]);
                    self.fs.advance(0, 0);
                    steps.extend(late.then(|| self.lines(1)));
                    steps.push(Step::Reopen);
                }
            }
            Deed::CopyOver => {
                let aside = PathBuf::from("/log/.audit.log.swp");
                steps.extend(Self::copy(&live, &aside, false));
                steps.extend([Step::Rename(aside, live), Step::Reopen]);
            }
            // Out and back between two looks leaves no trace.
            Deed::Swap { .. } if self.is_back => {}
            Deed::Swap { late, back } => {
                self.fs.advance(0, 0);
                let target = match back {
                    Some(index) if self.fs.is_read() => {
                        self.is_back = true;
                        index.get(&self.targets).clone()
                    }
                    _ => self.stamped(),
                };
                self.targets.push(target.clone());
                steps.push(Step::Link(target));
                steps.extend(late.then(|| self.lines(1)));
                steps.push(Step::Reopen);
            }
            Deed::Look { .. } => self.is_back = false,
        }
        self.fs.push(steps);
    }
}

/// Plays `deeds` and returns how often each line came, with whatever else came.
fn play(deeds: &[Deed]) -> (usize, BTreeMap<String, usize>) {
    let mut cluster = Cluster::default();
    let mut tail = Tail::waiting(cluster.fs.clone(), LIVE.into());
    tail.leave_out([]);
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut sink = |event: TailEvent| {
        if let TailEvent::Lines(batch) = event {
            let text = String::from_utf8(batch.bytes).expect("text was written");
            for line in text.split_inclusive('\n') {
                let id = line.split('"').nth(11).filter(|_| line.ends_with("}\n"));
                *seen.entry(id.map_or_else(|| line.to_owned(), str::to_owned)).or_default() += 1;
            }
        }
        ControlFlow::Continue(())
    };
    let mut now = 0;
    cluster.fs.push([Step::Reopen]);
    for deed in deeds {
        cluster.do_it(deed);
        if let Deed::Look { during, stride, wait } = deed {
            now += wait;
            cluster.fs.advance(*during, *stride);
            assert!(tail.look(now, &mut sink).is_continue());
        }
    }
    cluster.fs.advance(0, 0);
    for _ in 0..8 {
        now += 1_000;
        assert!(tail.look(now, &mut sink).is_continue());
    }
    assert!(cluster.fs.is_there(LIVE.as_ref()));
    assert!(tail.leaving.is_empty(), "nothing is kept open for ever");
    (cluster.written, seen)
}

#[test]
fn a_file_that_is_emptied_without_a_copy_begins_anew_whatever_its_size() {
    let mut cluster = Cluster::default();
    let mut tail = Tail::waiting(cluster.fs.clone(), LIVE.into());
    let (mut ids, mut changes) = (Vec::new(), Vec::new());
    let mut sink = |event: TailEvent| {
        match event {
            TailEvent::Lines(batch) => {
                let text = String::from_utf8(batch.bytes).expect("text was written");
                ids.extend(text.lines().filter_map(|line| line.split('"').nth(11)).map(str::to_owned));
            }
            TailEvent::Change(change) => changes.push(change.to_string()),
            TailEvent::End => {}
        }
        ControlFlow::Continue(())
    };
    cluster.fs.push([Step::Reopen]);
    cluster.do_it(&Deed::Append(2));
    cluster.fs.advance(0, 0);
    assert!(tail.look(0, &mut sink).is_continue());
    cluster.fs.push([Step::Truncate(LIVE.into())]);
    cluster.do_it(&Deed::Append(9));
    cluster.fs.advance(0, 0);
    assert!(tail.look(1_000, &mut sink).is_continue());
    assert_eq!(ids, (1..=11).map(|number| number.to_string()).collect::<Vec<_>>());
    assert_eq!(changes, [format!("{LIVE} appeared"), format!("{LIVE} was truncated")]);
}

fn each_once(written: usize) -> BTreeMap<String, usize> {
    (1..=written).map(|number| (number.to_string(), 1)).collect()
}

fn looks() -> impl Strategy<Value = Deed> {
    (0usize..12, 1usize..12, prop::sample::select(vec![15, 400, 1_000, 3_000]))
        .prop_map(|(during, stride, wait)| Deed::Look { during, stride, wait })
}

fn writes() -> impl Strategy<Value = Deed> {
    prop_oneof![2 => (1u8..6).prop_map(Deed::Append), 1 => Just(Deed::Split)]
}

/// Writes and looks between `rotations`.
fn story(rotations: impl Strategy<Value = Deed>) -> impl Strategy<Value = Vec<Deed>> {
    prop::collection::vec(prop_oneof![3 => writes(), 3 => looks(), 2 => rotations], 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn renamed_and_compressed_by_logrotate(deeds in story(prop_oneof![
        2 => any::<bool>().prop_map(|late| Deed::RenameByNumber { late }),
        1 => Just(Deed::Compress),
        1 => any::<bool>().prop_map(|late| Deed::DeleteAndMake { late }),
    ])) {
        let (written, seen) = play(&deeds);
        prop_assert_eq!(seen, each_once(written));
    }

    #[test]
    fn renamed_by_the_api_server_or_copied_over(deeds in story(prop_oneof![
        3 => any::<bool>().prop_map(|late| Deed::RenameByTime { late }),
        1 => any::<bool>().prop_map(|late| Deed::DeleteAndMake { late }),
        1 => Just(Deed::CopyOver),
    ])) {
        let (written, seen) = play(&deeds);
        prop_assert_eq!(seen, each_once(written));
    }

    #[test]
    fn copied_and_truncated(deeds in story(prop_oneof![
        3 => Just(Deed::CopyTruncate),
        1 => Just(Deed::Compress),
    ])) {
        let (written, seen) = play(&deeds);
        prop_assert_eq!(seen, each_once(written));
    }

    #[test]
    fn a_link_that_is_swapped(deeds in story(
        (any::<bool>(), prop::option::of(any::<prop::sample::Index>()))
            .prop_map(|(late, back)| Deed::Swap { late, back })
    )) {
        let mut all = vec![Deed::Swap { late: false, back: None }];
        all.extend(deeds);
        let (written, seen) = play(&all);
        prop_assert_eq!(seen, each_once(written));
    }
}
