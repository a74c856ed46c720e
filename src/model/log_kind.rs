//! Which program's log a record was read from.

use std::fmt;

/// The kinds of log whose lines become events, under the names that their projects go by in Kubernetes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
#[repr(u8)]
pub enum LogKind {
    /// The audit log of an API server.
    #[default]
    Kube = 0,
    /// The API audit log of a Rancher server.
    Rancher = 1,
    /// The logs of argocd-server and argocd-application-controller.
    ArgoCd = 2,
    /// The logs of Fleet's controllers and agents.
    Fleet = 3,
    /// The logs of Flux' controllers.
    Flux = 4,
}

impl LogKind {
    /// Every kind, in declaration order.
    pub const ALL: [LogKind; 5] =
        [LogKind::Kube, LogKind::Rancher, LogKind::ArgoCd, LogKind::Fleet, LogKind::Flux];

    /// The kind with this number, [`LogKind::Kube`] for any other.
    pub fn from_u8(number: u8) -> LogKind {
        Self::ALL.get(number as usize).copied().unwrap_or_default()
    }

    /// How it is written in the filter language and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            LogKind::Kube => "kube",
            LogKind::Rancher => "rancher",
            LogKind::ArgoCd => "argocd",
            LogKind::Fleet => "fleet",
            LogKind::Flux => "flux",
        }
    }

    /// Whose log it is, as people call it.
    pub fn title(self) -> &'static str {
        match self {
            LogKind::Kube => "an API server",
            LogKind::Rancher => "Rancher",
            LogKind::ArgoCd => "Argo CD",
            LogKind::Fleet => "Fleet",
            LogKind::Flux => "Flux",
        }
    }
}

impl fmt::Display for LogKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_belong_to_one_kind_each() {
        for (number, kind) in LogKind::ALL.into_iter().enumerate() {
            assert_eq!((kind as usize, LogKind::from_u8(number as u8)), (number, kind));
            assert_eq!(LogKind::ALL.iter().filter(|other| other.name() == kind.name()).count(), 1);
        }
        assert_eq!(LogKind::from_u8(200), LogKind::Kube);
    }
}
