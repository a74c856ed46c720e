//! How long an answer takes: the history of an object with a thousand writes, and a cause chain.
//!
//! `KAUDITUI_CORPUS` names a folder of logs to ask instead (made by `corpus.py --level full`). No object has a thousand
//! writes in such a log: of all its patches of deployments a thousand, spread over the log, are read as if they were of
//! one, with the body of the first and another image each. Without it the log is made up: a thousand patches of one
//! deployment with bodies of nine KiB, among a hundred thousand other requests.
//!
//! On two cores of 2026 with nothing else to do, the history in a full log of 1 GiB takes 139 ms in the median and 160 ms
//! at most (197 and 212 ms while states were still compared on the thread that finds them), a chain 25 ms. Unpacking and
//! parsing alone, one write after the other, takes 140 to 170 ms there.

#[path = "common/corpus.rs"]
mod corpus;

use std::collections::HashMap;
use std::ffi::OsStr;
use std::sync::LazyLock;

use divan::Bencher;
use kauditui::identity::Identities;
use kauditui::model::{EventId, TimeZoneChoice, is_write_verb};
use kauditui::store::{Field, Store};
use kauditui::trace::{Chain, History, HistoryOptions, Log, ObjectKey, Request, select};

use serde_json::{Value, json};

use corpus::{store_of, texts_in};

/// Writes of the object that is asked about.
const WRITES: usize = 1000;

fn main() {
    divan::main();
}

struct Corpus {
    store: Store,
    identities: Identities,
    key: ObjectKey,
    writes: Vec<EventId>,
}

// A store is asked from one thread; the lazy cell is only filled once.
thread_local! {
    static CORPUS: LazyLock<Corpus> = LazyLock::new(read);
}

fn read() -> Corpus {
    let store = match std::env::var_os("KAUDITUI_CORPUS") {
        Some(folder) => store_of(gathered(&folder)),
        None => store_of([made_up()]),
    };
    let mut identities = Identities::default();
    identities.update(&store);
    let key = busiest(&store);
    let values = [(Field::Resource, key.resource.as_str()), (Field::Name, key.name.as_str())];
    let mut writes = select::requests_with(&store, &values);
    writes.retain(|id| {
        Request::of(&store, *id).is_some_and(|r| r.is_write() && r.object == key && r.subresource != "status")
    });
    println!("{key}: {} writes, {} records held", writes.len(), store.held_records());
    Corpus { store, identities, key, writes }
}

/// The logs of a folder, in which so many patches of deployments are of one.
fn gathered(folder: &OsStr) -> impl Iterator<Item = Vec<u8>> {
    let lines =
        |text: &[u8]| text.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect::<Vec<_>>();
    let all: usize =
        texts_in(folder).map(|text| lines(&text).iter().filter(|line| is_patch(line)).count()).sum();
    let mut seen = 0;
    let mut body = None;
    texts_in(folder).map(move |text| {
        let mut gathered = Vec::with_capacity(text.len());
        for line in lines(&text) {
            let is_chosen = is_patch(&line) && {
                seen += 1;
                seen * WRITES / all > (seen - 1) * WRITES / all
            };
            gathered.extend(if is_chosen { renamed(&line, seen, &mut body) } else { line });
        }
        gathered
    })
}

/// Whether a line is the answer to a patch of a deployment, with the deployment in it.
fn is_patch(line: &[u8]) -> bool {
    let has = |part: &str| memchr::memmem::find(line, part.as_bytes()).is_some();
    has(r#""stage":"ResponseComplete""#)
        && has(r#""verb":"patch""#)
        && has(r#""objectRef":{"resource":"deployments""#)
        && has(r#""responseObject":{"kind":"Deployment""#)
}

/// The line as if it were about the one deployment, whose first `body` only changes its image.
fn renamed(line: &[u8], number: usize, body: &mut Option<Value>) -> Vec<u8> {
    let mut event: Value = serde_json::from_slice(line).expect("a line of a log");
    for path in ["/objectRef", "/responseObject/metadata"] {
        if let Some(object) = event.pointer_mut(path) {
            object["namespace"] = json!("prod");
            object["name"] = json!("web");
            object["uid"] = json!("00000000-0000-4000-8000-000000000001");
        }
    }
    let first = body.get_or_insert_with(|| event["responseObject"].clone());
    first["spec"]["template"]["spec"]["containers"][0]["image"] = json!(format!("web:{number}"));
    first["metadata"]["resourceVersion"] = json!(number.to_string());
    event["responseObject"] = first.clone();
    let mut line = event.to_string().into_bytes();
    line.push(b'\n');
    line
}

/// The object with the most writes that say what it should be.
fn busiest(store: &Store) -> ObjectKey {
    let mut counts: HashMap<ObjectKey, usize> = HashMap::new();
    for (number, entry) in store.entries() {
        let segment = entry.segment();
        for row in 0..segment.rows() {
            let text = |field| segment.string(field, row);
            let counts_here = is_write_verb(text(Field::Verb))
                && text(Field::Subresource).is_empty()
                && !text(Field::Name).is_empty()
                && text(Field::Resource) == "deployments";
            if counts_here && let Some(request) = Request::of(store, EventId::new(number, row)) {
                *counts.entry(request.object).or_default() += 1;
            }
        }
    }
    counts.into_iter().max_by_key(|(_, count)| *count).map(|(key, _)| key).expect("a deployment")
}

fn made_up() -> Vec<u8> {
    let padding = "x".repeat(8000);
    let mut out = String::new();
    for second in 0..1000 {
        for other in 0..100 {
            out += &format!(
                "{{\"kind\":\"Event\",\"apiVersion\":\"audit.k8s.io/v1\",\"level\":\"Metadata\",\"auditID\":\"00000000-0000-4000-8000-{:012}\",\"stage\":\"ResponseComplete\",\"requestURI\":\"/api/v1/namespaces/prod/pods/p{other}\",\"verb\":\"get\",\"user\":{{\"username\":\"u{other}\"}},\"sourceIPs\":[\"10.0.0.{other}\"],\"userAgent\":\"agent/v1\",\"objectRef\":{{\"resource\":\"pods\",\"namespace\":\"prod\",\"name\":\"p{other}\",\"apiVersion\":\"v1\"}},\"responseStatus\":{{\"metadata\":{{}},\"code\":200}},\"requestReceivedTimestamp\":\"2026-01-01T{:02}:{:02}:{:02}.{:06}Z\",\"stageTimestamp\":\"2026-01-01T{:02}:{:02}:{:02}.{:06}Z\"}}\n",
                second * 100 + other,
                second / 3600,
                second / 60 % 60,
                second % 60,
                other * 10,
                second / 3600,
                second / 60 % 60,
                second % 60,
                other * 10 + 1,
            );
        }
        let image = format!("web:{second}");
        out += &format!(
            "{{\"kind\":\"Event\",\"apiVersion\":\"audit.k8s.io/v1\",\"level\":\"RequestResponse\",\"auditID\":\"10000000-0000-4000-8000-{second:012}\",\"stage\":\"ResponseComplete\",\"requestURI\":\"/apis/apps/v1/namespaces/prod/deployments/web?fieldManager=kubectl-set\",\"verb\":\"patch\",\"user\":{{\"username\":\"bob\"}},\"sourceIPs\":[\"10.0.0.1\"],\"userAgent\":\"kubectl/v1.34\",\"objectRef\":{{\"resource\":\"deployments\",\"namespace\":\"prod\",\"name\":\"web\",\"apiGroup\":\"apps\",\"apiVersion\":\"v1\"}},\"responseStatus\":{{\"metadata\":{{}},\"code\":200}},\"requestObject\":{{\"spec\":{{\"template\":{{\"spec\":{{\"containers\":[{{\"name\":\"web\",\"image\":\"{image}\"}}]}}}}}}}},\"responseObject\":{{\"kind\":\"Deployment\",\"apiVersion\":\"apps/v1\",\"metadata\":{{\"name\":\"web\",\"namespace\":\"prod\",\"uid\":\"u\",\"resourceVersion\":\"{second}\",\"annotations\":{{\"padding\":\"{padding}\"}}}},\"spec\":{{\"replicas\":2,\"template\":{{\"spec\":{{\"containers\":[{{\"name\":\"web\",\"image\":\"{image}\"}}]}}}}}}}},\"requestReceivedTimestamp\":\"2026-01-01T{:02}:{:02}:{:02}.900000Z\",\"stageTimestamp\":\"2026-01-01T{:02}:{:02}:{:02}.900001Z\"}}\n",
            second / 3600,
            second / 60 % 60,
            second % 60,
            second / 3600,
            second / 60 % 60,
            second % 60,
        );
    }
    out.into_bytes()
}

#[divan::bench(sample_count = 10)]
fn history(bencher: Bencher<'_, '_>) {
    CORPUS.with(|corpus| {
        let log = Log { store: &corpus.store, identities: &corpus.identities, zone: TimeZoneChoice::Utc };
        bencher.bench_local(|| {
            let history = History::of(&log, &corpus.key, HistoryOptions::default());
            assert_eq!(history.revisions.len(), corpus.writes.len());
            history
        });
    });
}

/// The same with secrets shown: what masking costs.
#[divan::bench(sample_count = 10)]
fn history_revealed(bencher: Bencher<'_, '_>) {
    CORPUS.with(|corpus| {
        let log = Log { store: &corpus.store, identities: &corpus.identities, zone: TimeZoneChoice::Utc };
        let options = HistoryOptions { revealed: true, ..HistoryOptions::default() };
        bencher.bench_local(|| History::of(&log, &corpus.key, options));
    });
}

/// Bodies alone: reading and parsing each write.
#[divan::bench(sample_count = 10)]
fn bodies(bencher: Bencher<'_, '_>) {
    CORPUS.with(|corpus| {
        bencher.bench_local(|| {
            let read = corpus.writes.iter().filter_map(|id| Request::read(&corpus.store, *id));
            read.filter(|request| request.response_object().is_some()).count()
        });
    });
}

/// Chains of writes to the object, spread over the log.
#[divan::bench(sample_count = 10)]
fn chain(bencher: Bencher<'_, '_>) {
    CORPUS.with(|corpus| {
        let log = Log { store: &corpus.store, identities: &corpus.identities, zone: TimeZoneChoice::Utc };
        let mut at = 0;
        bencher.bench_local(|| {
            at = (at + 37) % corpus.writes.len();
            Chain::of(&log, corpus.writes[at]).expect("it is held")
        });
    });
}
