//! What kubectl calls a resource, and which resources belong to no namespace.

/// Resources of Kubernetes itself by API group, with their singular, which kubectl takes as their name.
const NAMES: [(&str, &str, &str); 39] = [
    ("", "configmaps", "configmap"),
    ("", "endpoints", "endpoints"),
    ("", "events", "event"),
    ("", "limitranges", "limitrange"),
    ("", "namespaces", "namespace"),
    ("", "nodes", "node"),
    ("", "persistentvolumeclaims", "persistentvolumeclaim"),
    ("", "persistentvolumes", "persistentvolume"),
    ("", "pods", "pod"),
    ("", "podtemplates", "podtemplate"),
    ("", "replicationcontrollers", "replicationcontroller"),
    ("", "resourcequotas", "resourcequota"),
    ("", "secrets", "secret"),
    ("", "serviceaccounts", "serviceaccount"),
    ("", "services", "service"),
    ("admissionregistration.k8s.io", "mutatingwebhookconfigurations", "mutatingwebhookconfiguration"),
    ("admissionregistration.k8s.io", "validatingadmissionpolicies", "validatingadmissionpolicy"),
    ("admissionregistration.k8s.io", "validatingwebhookconfigurations", "validatingwebhookconfiguration"),
    ("apiextensions.k8s.io", "customresourcedefinitions", "customresourcedefinition"),
    ("apiregistration.k8s.io", "apiservices", "apiservice"),
    ("apps", "controllerrevisions", "controllerrevision"),
    ("apps", "daemonsets", "daemonset"),
    ("apps", "deployments", "deployment"),
    ("apps", "replicasets", "replicaset"),
    ("apps", "statefulsets", "statefulset"),
    ("autoscaling", "horizontalpodautoscalers", "horizontalpodautoscaler"),
    ("batch", "cronjobs", "cronjob"),
    ("batch", "jobs", "job"),
    ("certificates.k8s.io", "certificatesigningrequests", "certificatesigningrequest"),
    ("coordination.k8s.io", "leases", "lease"),
    ("discovery.k8s.io", "endpointslices", "endpointslice"),
    ("networking.k8s.io", "ingresses", "ingress"),
    ("networking.k8s.io", "networkpolicies", "networkpolicy"),
    ("policy", "poddisruptionbudgets", "poddisruptionbudget"),
    ("rbac.authorization.k8s.io", "clusterrolebindings", "clusterrolebinding"),
    ("rbac.authorization.k8s.io", "clusterroles", "clusterrole"),
    ("rbac.authorization.k8s.io", "rolebindings", "rolebinding"),
    ("rbac.authorization.k8s.io", "roles", "role"),
    ("storage.k8s.io", "storageclasses", "storageclass"),
];

/// Resources of Kubernetes itself that belong to the whole cluster.
const OF_THE_CLUSTER: [&str; 15] = [
    "namespaces",
    "nodes",
    "persistentvolumes",
    "mutatingwebhookconfigurations",
    "validatingadmissionpolicies",
    "validatingwebhookconfigurations",
    "customresourcedefinitions",
    "apiservices",
    "certificatesigningrequests",
    "clusterrolebindings",
    "clusterroles",
    "storageclasses",
    "priorityclasses",
    "ingressclasses",
    "volumeattachments",
];

/// What kubectl calls a resource: the singular of a known one, `applications.argoproj.io` of any other, since several
/// groups may use the plural.
pub(super) fn name(group: &str, resource: &str) -> String {
    let known = NAMES.iter().find(|(of, plural, _)| *of == group && *plural == resource);
    match known {
        Some((_, _, singular)) => (*singular).to_owned(),
        None if group.is_empty() => resource.to_owned(),
        None => format!("{resource}.{group}"),
    }
}

/// What kubectl calls the objects of a resource: the plural where that is unambiguous.
pub(super) fn plural(group: &str, resource: &str) -> String {
    let is_known = NAMES.iter().any(|(of, plural, _)| *of == group && *plural == resource);
    if is_known || group.is_empty() { resource.to_owned() } else { format!("{resource}.{group}") }
}

/// Whether the objects of a resource belong to no namespace.
pub(super) fn is_of_the_cluster(resource: &str) -> bool {
    OF_THE_CLUSTER.contains(&resource)
}
