# What the jq commands of questions.md share. Use: jq -rs -L tests/data 'include "audit"; requests | ...' audit.log
# Written from the meaning of the records, not from the program, whose answers it checks.

# A moment in microseconds; jq's own fromdate knows whole seconds only.
def micros:
  (.[0:19] + "Z" | fromdate) * 1000000 + ((.[19:] | ltrimstr(".") | rtrimstr("Z")) + "000000" | .[0:6] | tonumber);

# The requests among the records of a log, in the order of time. Each is its first response (ResponseStarted, else the
# end of the request), or RequestReceived where nothing else came. `took` is the time from its arrival to its end in
# microseconds, null while it has not ended; a refused login (401) ends with ResponseStarted. Clients choose the auditID and may use one again, so that it does not tell
# requests apart by itself.
def requests:
  group_by([.auditID, .requestURI, .verb, .user.username, .requestReceivedTimestamp])
  | map(
      map(select(.stage == "ResponseComplete" or .stage == "Panic" or .responseStatus.code == 401)) as $ends
      | (map(select(.stage == "ResponseStarted")) + $ends + .)[0]
      + { took: (if $ends == [] then null
                 else ($ends[0].stageTimestamp | micros) - ($ends[0].requestReceivedTimestamp | micros) end) })
  | sort_by(.stageTimestamp)
  | .[];

# What kind of identity a username claims to be.
def kind_of:
  if . == null or . == "" or . == "system:anonymous" then "anonymous"
  elif startswith("system:serviceaccount:") then "serviceaccount"
  elif startswith("system:node:") then "node"
  elif startswith("system:") and . != "system:admin" then "control-plane"
  else "human" end;

def kind: .user.username | kind_of;

# A person acts, or is acted for.
def human: kind == "human" or (.impersonatedUser != null and (.impersonatedUser.username | kind_of) == "human");

def failed: (.responseStatus.code // 0) >= 400;

# Verbs that change something, and subresources that reach into a pod or a node whatever the verb.
def is_write:
  (.verb | . == "create" or . == "update" or . == "patch" or . == "delete" or . == "deletecollection")
  or (.objectRef.subresource | . == "exec" or . == "attach" or . == "portforward" or . == "proxy");

# The address of the peer; those before it are what the client claims.
def ip: (.sourceIPs // [])[-1] // "-";

def decoded:
  gsub("\\+"; " ")
  | gsub("%(?<hex>[0-9A-Fa-f]{2})";
      .hex | ascii_downcase | explode | map(if . >= 97 then . - 87 else . - 48 end) | [.[0] * 16 + .[1]] | implode);

# Values of a parameter in the query of the URI.
def parameters(name):
  (.requestURI / "?")[1] // "" | (. / "&")[] | . / "=" | select(.[0] == name) | .[1] // "" | decoded;

# What exec ran.
def command: [parameters("command")] | join(" ");

# Who a write says it manages the fields for; without a parameter the server takes the beginning of the user agent.
def manager:
  if .verb == "create" or .verb == "update" or .verb == "patch"
  then ([parameters("fieldManager")][0] // "") as $named
    | if $named != "" then $named else ((.userAgent // "") / "/")[0] end
  else null end;

# The program that the user agent names, under the name that people use.
def tool:
  ((.userAgent // "") / " ")[0] / "/" | .[0]
  | { "kubectl-dispatcher": "kubectl", "Helm": "helm", "argocd-application-controller": "argocd",
      "Prometheus": "prometheus" }[.] // .;

# Binding and role in the reason of the authorizer.
def grant:
  .annotations["authorization.k8s.io/reason"] // ""
  | capture("Binding \"(?<binding>[^\"]*)\" of (Cluster)?Role \"(?<role>[^\"]*)\"") // { binding: null, role: null };

# Whether a word is part of a column, in any case.
def word(text):
  [ .user.username, .impersonatedUser.username, .verb, .objectRef.resource,
    .objectRef.namespace, .objectRef.name, .userAgent, .requestURI ]
  | any(. // "" | ascii_downcase | contains(text));

# Whether a text is part of the record, all escapes decoded.
def line(text): del(.took) | tojson | contains(text);

# A write after which the object is the one that it was.
def no_effect:
  def version: objects | .metadata | objects | .resourceVersion // "";
  (.verb == "update" or .verb == "patch") and (failed | not)
  and ([.requestObject | version][0] // "") as $before
  | $before != "" and ([.responseObject | version][0] // "") == $before;

# Whoever acts, and as whom.
def who: (.user.username // "-") + (if .impersonatedUser then " as " + .impersonatedUser.username else "" end);

# resource.group/subresource namespace/name, or the path where there is no object.
def object:
  if .objectRef.resource then
    .objectRef
    | .resource + (if .apiGroup then "." + .apiGroup else "" end) + (if .subresource then "/" + .subresource else "" end)
      + " " + (.namespace // "-") + "/" + (.name // "-")
  else (.requestURI / "?")[0] + " -" end;

# One line of an answer: when, code, verb, object, from where, how long, who.
def row:
  [ .stageTimestamp, (.responseStatus.code // "-" | tostring), .verb, object, ip,
    (if .took then "\(.took)us" else "open" end), who ]
  | join(" ");

# Lines of a table: values, how many have them, and how many of these failed. Takes an array.
def table(values):
  group_by([values])
  | map({ values: (.[0] | [values | . // "" | tostring]), count: length, failed: (map(select(failed)) | length) })
  | sort_by(-.count, .values)
  | .[] | (.values + [.count, .failed | tostring]) | join(" | ");

# Some values of a request.
def cells(values): [values | . // "" | tostring] | join(" | ");

# Lines of the table of users. What one does as another counts for both. Takes an array.
def users:
  def count(condition): map(select(condition)) | length;
  def distinct(value): map(value | select(. != null and . != "" and . != "-")) | unique | length;
  map(. + { actor: (.user.username // "") }, (select(.impersonatedUser) | . + { actor: .impersonatedUser.username }))
  | group_by(.actor)
  | .[]
  | .[0].actor as $actor
  | [ $actor, ($actor | kind_of), length, count(is_write), count(failed), count(.responseStatus.code == 403),
      count(.impersonatedUser and (.user.username // "") == $actor), count(.impersonatedUser.username == $actor),
      distinct(.objectRef.namespace), distinct(ip), distinct(tool) | tostring ]
  | join(" | ");
