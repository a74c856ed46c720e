//! What is usual for an identity: the tools and addresses that most of its requests came from.

use std::collections::HashMap;

use super::Use;

/// A tool or an address is usual from this many requests on …
const USUAL_FROM: u64 = 5;

/// … that are at least this share of all, in percent.
const USUAL_SHARE: u64 = 60;

/// Something else is unusual up to this share of all, in percent.
const UNUSUAL_SHARE: u64 = 20;

/// A value, and how many requests it stands for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Share {
    /// A tool's name or an address.
    pub value: String,
    /// Requests.
    pub requests: u64,
}

/// The tools and addresses of an identity, the most frequent first.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Habit {
    /// All its requests.
    pub requests: u64,
    /// By tool.
    pub tools: Vec<Share>,
    /// By address.
    pub addresses: Vec<Share>,
}

/// Why a request is not what its identity usually does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unusual {
    /// What most requests have.
    pub usual: Share,
    /// What this one has.
    pub here: Share,
    /// All requests of the identity.
    pub of: u64,
}

impl Habit {
    pub(super) fn of(uses: &[Use<'_>]) -> Habit {
        Habit {
            requests: uses.iter().map(|used| used.requests).sum(),
            tools: shares(uses, |used| used.tool),
            addresses: shares(uses, |used| used.source_ip),
        }
    }

    /// Whether another tool is the usual one.
    pub fn unusual_tool(&self, tool: &str) -> Option<Unusual> {
        self.unusual(&self.tools, tool)
    }

    /// Whether another address is the usual one. An identity that is at home in many places, such as a daemon set's
    /// service account, has no usual address.
    pub fn unusual_address(&self, address: &str) -> Option<Unusual> {
        self.unusual(&self.addresses, address)
    }

    fn unusual(&self, shares: &[Share], value: &str) -> Option<Unusual> {
        let usual = shares.first()?;
        let here = shares.iter().find(|share| share.value == value)?;
        let is_usual = usual.requests >= USUAL_FROM && usual.requests * 100 >= self.requests * USUAL_SHARE;
        let is_rare = here.requests * 100 <= self.requests * UNUSUAL_SHARE;
        (is_usual && is_rare && here != usual).then(|| Unusual {
            usual: usual.clone(),
            here: here.clone(),
            of: self.requests,
        })
    }
}

fn shares<'u>(uses: &[Use<'u>], value: impl Fn(&Use<'u>) -> &'u str) -> Vec<Share> {
    let mut counts: HashMap<&str, u64> = HashMap::new();
    for used in uses {
        *counts.entry(value(used)).or_default() += used.requests;
    }
    let mut shares: Vec<Share> =
        counts.into_iter().map(|(value, requests)| Share { value: value.to_owned(), requests }).collect();
    shares.sort_by(|a, b| b.requests.cmp(&a.requests).then_with(|| a.value.cmp(&b.value)));
    shares
}
