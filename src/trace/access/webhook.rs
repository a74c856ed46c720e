//! What admission webhooks did to a request: which changed the object, with their patch, and which were down and passed
//! over. The API server says so in annotations (FORMATS.md 1.5; `k8s.io/apiserver/pkg/admission/plugin/webhook`).

use serde_json::Value;

use crate::trace::Request;

/// `round_0_index_1` behind it tells when it was called. The value is JSON with `configuration`, `webhook`, `mutated`.
const MUTATION: &str = "mutation.webhook.admission.k8s.io/";

/// The same, with `patch`; from level Request on.
const PATCH: &str = "patch.webhook.admission.k8s.io/";

/// The value is the webhook's name alone.
const FAILED_OPEN: [&str; 2] =
    ["failed-open.mutation.webhook.admission.k8s.io/", "failed-open.validating.webhook.admission.k8s.io/"];

/// What one call of a webhook did.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct WebhookEffect {
    /// Name of the MutatingWebhookConfiguration; empty for a call that failed, of which the log does not tell it.
    pub configuration: String,
    /// Name of the webhook in it.
    pub webhook: String,
    /// Whether it changed the object.
    pub mutated: bool,
    /// Its JSON patch, where the level lets it be known. As it is in the log: whoever shows it masks it first.
    pub patch: Option<Value>,
    /// Whether it could not be asked, and the request went on without it (`failurePolicy: Ignore`).
    pub failed_open: bool,
    /// 0, or 1 for a second call because a later webhook changed the object.
    pub round: u32,
    /// Its place among the webhooks of the round.
    pub index: u32,
}

/// The effects that a request's annotations tell, in the order of the calls. The request's event must have been read.
pub fn webhook_effects(request: &Request) -> Vec<WebhookEffect> {
    let mut effects: Vec<WebhookEffect> = Vec::new();
    for (key, value) in request.annotations() {
        if let Some(place) = key.strip_prefix(MUTATION).or_else(|| key.strip_prefix(PATCH)) {
            add_call(&mut effects, place, value);
        } else if let Some(place) = FAILED_OPEN.iter().find_map(|prefix| key.strip_prefix(prefix)) {
            let (round, index) = round_and_index(place);
            let webhook = value.to_owned();
            effects.push(WebhookEffect {
                webhook,
                failed_open: true,
                round,
                index,
                ..WebhookEffect::default()
            });
        }
    }
    effects.sort_by_key(|effect| (effect.round, effect.index));
    effects
}

/// Two annotations tell of one call; either may come first, and the one with the patch may be absent.
fn add_call(effects: &mut Vec<WebhookEffect>, place: &str, value: &str) {
    let Ok(told) = serde_json::from_str::<Value>(value) else { return };
    let text = |key: &str| told.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (round, index) = round_and_index(place);
    let webhook = text("webhook");
    let known = effects.iter().position(|effect| {
        !effect.failed_open && (effect.round, effect.index, &effect.webhook) == (round, index, &webhook)
    });
    let at = known.unwrap_or_else(|| {
        let configuration = text("configuration");
        effects.push(WebhookEffect { configuration, webhook, round, index, ..WebhookEffect::default() });
        effects.len() - 1
    });
    if let Some(effect) = effects.get_mut(at) {
        let patch = told.get("patch").filter(|patch| !patch.is_null());
        effect.mutated |= told.get("mutated").and_then(Value::as_bool).unwrap_or(false) || patch.is_some();
        effect.patch = effect.patch.take().or_else(|| patch.cloned());
    }
}

/// Takes `round_0_index_1` apart; 0 for what is not there.
fn round_and_index(place: &str) -> (u32, u32) {
    let number = |text: Option<&str>| text.and_then(|text| text.parse().ok()).unwrap_or(0);
    let (round, index) = place.split_once("_index_").unwrap_or((place, ""));
    (number(round.strip_prefix("round_")), number(Some(index)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn request(annotations: Value) -> Request {
        Request { event: json!({ "annotations": annotations }), ..Request::default() }
    }

    #[test]
    fn both_annotations_of_a_call_are_one_effect() {
        let effects = webhook_effects(&request(json!({
            "patch.webhook.admission.k8s.io/round_0_index_1":
                r#"{"configuration":"istio","webhook":"inject.istio.io","patch":[{"op":"add","path":"/x","value":1}],"patchType":"JSONPatch"}"#,
            "mutation.webhook.admission.k8s.io/round_0_index_1":
                r#"{"configuration":"istio","webhook":"inject.istio.io","mutated":true}"#,
            "mutation.webhook.admission.k8s.io/round_0_index_0":
                r#"{"configuration":"labels","webhook":"labels.example.com","mutated":false}"#,
            "failed-open.validating.webhook.admission.k8s.io/round_0_index_2": "policy.example.com",
            "failed-open.mutation.webhook.admission.k8s.io/round_1_index_0": "other.example.com",
        })));
        let told: Vec<_> = effects
            .iter()
            .map(|e| {
                (e.webhook.as_str(), e.configuration.as_str(), e.mutated, e.failed_open, e.round, e.index)
            })
            .collect();
        assert_eq!(
            told,
            [
                ("labels.example.com", "labels", false, false, 0, 0),
                ("inject.istio.io", "istio", true, false, 0, 1),
                ("policy.example.com", "", false, true, 0, 2),
                ("other.example.com", "", false, true, 1, 0),
            ]
        );
        assert_eq!(effects[1].patch, Some(json!([{"op": "add", "path": "/x", "value": 1}])));
    }

    #[test]
    fn what_is_no_such_annotation_says_nothing() {
        let effects = webhook_effects(&request(json!({
            "mutation.webhook.admission.k8s.io/round_0_index_0": "no JSON",
            "mutation.webhook.admission.k8s.io/strange": "{}",
            "a.webhook.example.com/key": "value",
        })));
        assert_eq!(effects, [WebhookEffect::default()]);
        assert!(webhook_effects(&Request::default()).is_empty());
    }
}
