//! The logs of argocd-server and argocd-application-controller, v2 and v3, as JSON or logfmt (FORMATS.md 4.1).
//!
//! Three kinds of lines tell of a change: audit records (`util/argo/audit_logger.go`; [`audit`]), which also become
//! Events of the cluster; what the controller says of an operation ([`operation`]); and the server's log of gRPC calls
//! ([`grpc`]), where alone the person's claims and the request's content are. The namespace in which Argo CD runs is in
//! none of them, so that its service accounts are named as its own manifests install them, in `argocd`.

mod audit;
mod grpc;
mod operation;

use super::controller::Told;
use super::details::{ControllerDetails, Destination, Initiator, ObjectName, commit_of, without_credentials};
use super::fields::Fields;
use crate::model::{LogKind, ObjectRef, Stage};

/// The identity under which the API server's log has the controller.
const CONTROLLER: &str = "system:serviceaccount:argocd:argocd-application-controller";

/// Keys that no other program's lines have beside a level and a message.
const OWN_KEYS: [&str; 9] = [
    "application",
    "app-namespace",
    "app-qualified-name",
    "applicationset",
    "appproject",
    "appset",
    "dest-server",
    "dest-namespace",
    "syncId",
];

/// Whether a line that has a level and a message is Argo CD's.
pub(super) fn wrote(fields: &Fields<'_>) -> bool {
    // `app`, `commit` and their like are the aliases of lines that people retell.
    let is_retold = fields.has("app") && fields.has_key(|key| matches!(key, "commit" | "dest" | "url"));
    is_retold
        || audit::wrote(fields)
        || OWN_KEYS.iter().any(|key| fields.has(key))
        || fields.has_key(|key| key.starts_with("grpc."))
}

/// What a line of [`wrote`] tells; `None` when it tells of no change.
pub(super) fn read(fields: &Fields<'_>) -> Option<Told> {
    let message = fields.text("msg");
    if fields.has("grpc.method") || fields.has("grpc.service") || fields.has("grpc.code") {
        return grpc::read(fields, &message);
    }
    audit::read(fields, &message).or_else(|| operation::read(fields, &message))
}

/// What every line may tell: which application, in which project, where to.
fn frame(fields: &Fields<'_>, message: &str) -> Told {
    let (resource, subject) = subject(fields);
    let revision = fields.text("commit").into_owned();
    let time = fields.moment("time");
    Told {
        log: LogKind::ArgoCd,
        stage: Stage::ResponseComplete,
        time,
        object: object(resource, &subject),
        reason: message.to_owned(),
        details: ControllerDetails {
            subject,
            project: fields.text("project").into_owned(),
            repository: without_credentials(&fields.first_text(&["url", "repo", "repoURL"])),
            commit: commit_of(&revision).to_owned(),
            revision,
            destination: Destination {
                server: fields.text("dest-server").into_owned(),
                namespace: destination_namespace(fields),
                ..Destination::default()
            },
            operation_id: fields.text("syncId").into_owned(),
            message: message.to_owned(),
            ..ControllerDetails::default()
        },
        ..Told::default()
    }
}

/// `dest` is `namespace: production` in retold lines.
fn destination_namespace(fields: &Fields<'_>) -> String {
    let namespace = fields.first_text(&["dest-namespace", "dest"]);
    namespace.trim_start_matches("namespace:").trim().to_owned()
}

/// The resource, and the object that a line is about: an Application under any of the names that versions gave it, else
/// an ApplicationSet or a project.
fn subject(fields: &Fields<'_>) -> (&'static str, ObjectName) {
    let qualified = fields.text("app-qualified-name");
    let named = fields.first_text(&["application", "app"]);
    if !qualified.is_empty() || !named.is_empty() {
        let mut subject = ObjectName::parse(if qualified.is_empty() { &named } else { &qualified });
        if subject.namespace.is_empty() {
            subject.namespace = fields.text("app-namespace").into_owned();
        }
        return ("applications", subject);
    }
    let set = fields.first_text(&["applicationset", "appset"]);
    if !set.is_empty() {
        return ("applicationsets", ObjectName::parse(&set));
    }
    let project = fields.first_text(&["appproject", "project"]);
    match fields.text("name") {
        // An audit record calls only applications and projects by their kinds.
        name if project.is_empty() && audit::wrote(fields) => ("applicationsets", ObjectName::parse(&name)),
        _ => ("appprojects", ObjectName::parse(&project)),
    }
}

fn object(resource: &'static str, subject: &ObjectName) -> ObjectRef<'static> {
    ObjectRef {
        resource: resource.into(),
        namespace: subject.namespace.clone().into(),
        name: subject.name.clone().into(),
        api_group: "argoproj.io".into(),
        api_version: "v1alpha1".into(),
        ..ObjectRef::default()
    }
}

impl Told {
    /// Somebody did it through the server. Argo CD's own word for nobody is no name.
    fn by_person(mut self, user: &str) -> Told {
        let user = if user == "Unknown user" { "" } else { user };
        self.user = user.to_owned();
        self.details.component = "argocd-server";
        self.details.initiator.user = user.to_owned();
        self.details.initiator.automated = Some(false);
        self
    }

    /// The controller did it; for whom is told elsewhere.
    fn by_controller(mut self) -> Told {
        self.user = CONTROLLER.to_owned();
        self.details.component = "argocd-application-controller";
        self
    }

    /// The controller did it for somebody, or by itself.
    fn for_initiator(mut self, user: &str, automated: bool) -> Told {
        self = self.by_controller();
        self.details.initiator =
            Initiator { user: user.to_owned(), automated: Some(automated), ..Initiator::default() };
        if !user.is_empty() {
            self.user = user.to_owned();
        }
        self
    }
}

#[cfg(test)]
mod tests;
