# What the jq commands of stories.md share, on top of audit.jq: jq -rs -L tests/data 'include "audit"; include "stories"; …'
include "audit";

# The time of day as kauditui writes it in sentences, and a moment as it does in tables.
def clock: .stageTimestamp[11:23] + "Z";
def moment: .stageTimestamp[0:10] + " " + .stageTimestamp[11:23];

# The id of the credential that a request was made with, and that of the token that it issued.
def credential: .user.extra["authentication.kubernetes.io/credential-id"][0] // "";
def issued: .annotations["authentication.kubernetes.io/issued-credential-id"] // "";

# What a request is about.
def is_about(resource; name): .objectRef.resource == resource and .objectRef.name == name;
def is_delete_of(resource; name): .verb == "delete" and is_about(resource; name);
def is_by(account): .user.username == "system:serviceaccount:kube-system:" + account;
def is_by_kubelet: .user.username // "" | startswith("system:node:");

# The writes to an object that say what it should be, in time order. Takes all requests.
def writes(resource; name):
  map(select(is_about(resource; name) and is_write and .objectRef.subresource != "status" and (failed | not)));

# A request as a fact: when, who, what it did.
def fact: "\(clock) \(.user.username) \(.verb) \(.objectRef.resource)";

# The name of the object that a creation made, where its body tells.
def made: .objectRef.name // .responseObject.metadata.name // "";
