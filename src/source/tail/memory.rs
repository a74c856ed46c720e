//! A file system in memory with a writer and a rotator at work in it. Their steps are taken while the reader calls
//! the file system, so that a test can put each of them between any two things the reader does.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::rc::{Rc, Weak};

use flate2::{Compression, write::GzEncoder};

use super::super::FileId;
use super::super::filesystem::{FileSystem, Sibling, Stat};
use super::super::names::rotated_from;

/// The followed path.
pub(super) const LIVE: &str = "/log/audit.log";

/// A file, which lives for as long as it has a name or is open.
#[derive(Debug)]
pub(super) struct Node {
    inode: u64,
    bytes: RefCell<Vec<u8>>,
    changes: RefCell<i128>,
}

/// The smallest things that happen.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// Bytes go to the file that the writer holds open, at its end.
    Write(Vec<u8>),
    /// The writer opens the followed path, and makes the file if need be.
    Reopen,
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
    /// The given parts (of 4) of a copy of a file, which is packed or not, are there now.
    Copy {
        from: PathBuf,
        to: PathBuf,
        packed: bool,
        quarters: usize,
    },
    Truncate(PathBuf),
    /// The followed path becomes a link, or another link.
    Link(PathBuf),
}

#[derive(Default)]
struct World {
    nodes: Vec<Weak<Node>>,
    names: BTreeMap<PathBuf, Rc<Node>>,
    links: BTreeMap<PathBuf, PathBuf>,
    writer: Option<Rc<Node>>,
    clock: i128,
    steps: VecDeque<Step>,
    /// How many of those came since the last [`MemoryFileSystem::advance`].
    fresh: usize,
    /// A step is taken at every so many calls of the reader; 0 for none.
    stride: usize,
    calls: usize,
}

#[derive(Clone, Default)]
pub(super) struct MemoryFileSystem(Rc<RefCell<World>>);

impl World {
    fn make(&mut self, path: PathBuf) -> Rc<Node> {
        // As on a real disk, the number of a file that is gone is the first to be given out again.
        let free = self.nodes.iter().position(|node| node.strong_count() == 0).unwrap_or(self.nodes.len());
        let node = Rc::new(Node {
            inode: free as u64 + 1,
            bytes: RefCell::default(),
            changes: RefCell::new(self.clock),
        });
        self.nodes.resize(self.nodes.len().max(free + 1), Weak::new());
        self.nodes[free] = Rc::downgrade(&node);
        self.names.insert(path, Rc::clone(&node));
        node
    }

    fn resolve(&self, path: &Path) -> PathBuf {
        self.links.get(path).cloned().unwrap_or_else(|| path.to_owned())
    }

    fn set(&mut self, node: &Node, change: impl FnOnce(&mut Vec<u8>)) {
        change(&mut node.bytes.borrow_mut());
        *node.changes.borrow_mut() = self.clock;
    }

    fn find(&self, path: &Path) -> io::Result<Rc<Node>> {
        self.names.get(&self.resolve(path)).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn take(&mut self, step: Step) {
        self.clock += 1;
        match step {
            Step::Write(bytes) => {
                let node = self.writer.clone().expect("the writer has opened its file");
                self.set(&node, |content| content.extend(bytes));
            }
            Step::Reopen => {
                let path = self.resolve(Path::new(LIVE));
                let node = self.names.get(&path).cloned().unwrap_or_else(|| self.make(path));
                self.writer = Some(node);
            }
            Step::Rename(from, to) => {
                if let Some(node) = self.names.remove(&from) {
                    self.names.insert(to, node);
                }
            }
            Step::Remove(path) => {
                self.names.remove(&path);
            }
            Step::Copy { from, to, packed, quarters } => {
                let Some(source) = self.names.get(&from).cloned() else { return };
                let mut bytes = source.bytes.borrow().clone();
                if packed {
                    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
                    encoder.write_all(&bytes).expect("memory takes everything");
                    bytes = encoder.finish().expect("memory takes everything");
                }
                bytes.truncate(bytes.len() * quarters / 4);
                let node = self.names.get(&to).cloned().unwrap_or_else(|| self.make(to));
                self.set(&node, |content| *content = bytes);
            }
            Step::Truncate(path) => {
                if let Some(node) = self.names.get(&path).cloned() {
                    self.set(&node, Vec::clear);
                }
            }
            Step::Link(target) => {
                self.links.insert(LIVE.into(), target);
            }
        }
    }
}

impl MemoryFileSystem {
    pub fn push(&self, steps: impl IntoIterator<Item = Step>) {
        let mut world = self.0.borrow_mut();
        let before = world.steps.len();
        world.steps.extend(steps);
        world.fresh += world.steps.len() - before;
    }

    /// Takes the steps that are waiting, but for the last `but` of the new ones, which wait for the reader's calls:
    /// one every `stride` calls.
    pub fn advance(&self, but: usize, stride: usize) {
        let mut world = self.0.borrow_mut();
        let but = but.min(std::mem::take(&mut world.fresh));
        while world.steps.len() > but {
            let step = world.steps.pop_front().expect("there is one");
            world.take(step);
        }
        (world.stride, world.calls) = (stride, 0);
    }

    pub fn is_there(&self, path: &Path) -> bool {
        self.0.borrow().names.contains_key(path)
    }

    /// Whether somebody beside the writer holds the file at the followed path open.
    pub fn is_read(&self) -> bool {
        let world = self.0.borrow();
        world.find(Path::new(LIVE)).is_ok_and(|node| {
            let by_writer = world.writer.as_ref().is_some_and(|writer| Rc::ptr_eq(writer, &node));
            // One is the name, one is this one.
            Rc::strong_count(&node) > 2 + usize::from(by_writer)
        })
    }

    fn called(&self) {
        let mut world = self.0.borrow_mut();
        world.calls += 1;
        if world.stride > 0
            && world.calls.is_multiple_of(world.stride)
            && let Some(step) = world.steps.pop_front()
        {
            world.take(step);
        }
    }

    fn stat_node(&self, node: &Rc<Node>) -> Stat {
        let world = self.0.borrow();
        Stat {
            id: FileId { device: 1, inode: node.inode },
            size: node.bytes.borrow().len() as u64,
            modified: *node.changes.borrow(),
            links: world.names.values().filter(|named| Rc::ptr_eq(named, node)).count() as u64,
            regular: true,
        }
    }
}

impl FileSystem for MemoryFileSystem {
    type File = Rc<Node>;

    fn open(&self, path: &Path) -> io::Result<Rc<Node>> {
        self.called();
        self.0.borrow().find(path)
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        self.called();
        let node = self.0.borrow().find(path)?;
        Ok(self.stat_node(&node))
    }

    fn stat_file(&self, file: &Rc<Node>) -> io::Result<Stat> {
        self.called();
        Ok(self.stat_node(file))
    }

    fn read_at(&self, file: &Rc<Node>, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.called();
        let bytes = file.bytes.borrow();
        let rest = bytes.get(offset as usize..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn siblings(&self, live: &Path) -> io::Result<Vec<Sibling>> {
        self.called();
        let named: Vec<(PathBuf, Rc<Node>)> =
            self.0.borrow().names.iter().map(|(path, node)| (path.clone(), Rc::clone(node))).collect();
        let name = live.file_name().unwrap_or_default();
        let as_sibling = |(path, node): (PathBuf, Rc<Node>)| {
            let name = rotated_from(name, path.file_name()?)?;
            Some(Sibling { name, stat: self.stat_node(&node), path })
        };
        Ok(named.into_iter().filter_map(as_sibling).collect())
    }

    fn link_target(&self, path: &Path) -> Option<PathBuf> {
        self.called();
        self.0.borrow().links.get(path).cloned()
    }
}
