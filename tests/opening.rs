//! Logs that are opened and closed while the program runs.

mod common;

use std::fs;
use std::path::PathBuf;
use std::sync::mpsc::channel;
use std::thread;

use common::app::{batch_of, empty_app, history, keys, now, screen, type_text, work};
use kauditui::app::{Config, Effect, Msg};
use kauditui::ingest::{
    Ingest, IngestMessage, IngestOptions, Input, Numbers, SourceDescription, start_numbered,
};
use kauditui::model::SourceId;

fn lines(ids: std::ops::Range<u32>) -> String {
    let line = |id: u32| {
        format!(
            r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"{id}","stage":"ResponseComplete","requestURI":"/api/v1/pods","verb":"create","user":{{"username":"alice"}},"objectRef":{{"resource":"pods","namespace":"prod","name":"web-{id}"}},"responseStatus":{{"code":201}},"requestReceivedTimestamp":"2026-11-20T22:00:{:02}.000000Z","stageTimestamp":"2026-11-20T22:00:{:02}.000000Z"}}"#,
            id % 60,
            id % 60
        ) + "\n"
    };
    ids.map(line).collect()
}

#[test]
fn a_command_opens_a_log_and_another_one_closes_it() {
    let mut app = empty_app(Config::default(), 120, 30);
    history(&mut app, &lines(0..5), 1);
    let command = |app: &mut kauditui::app::App, text: &str| {
        keys(app, ":");
        type_text(app, text);
        keys(app, "Enter")
    };
    let open = command(&mut app, "open /var/x.log");
    assert_eq!(open, [Effect::OpenLog(PathBuf::from("/var/x.log"))]);
    let other = SourceDescription {
        id: SourceId(1),
        name: "x.log".into(),
        path: "/var/x.log".into(),
        rotated: 0,
        compressed: Vec::new(),
    };
    app.update(Msg::Ingest(IngestMessage::Opened(other)), now());
    let of_other = batch_of(SourceId(1), &lines(10..13), 7);
    app.update(Msg::Ingest(IngestMessage::History(of_other)), now());
    work(&mut app);
    assert_eq!(app.store.held_records(), 8);
    assert!(screen(&app, 120, 30).contains("SOURCE "), "with several logs, each row tells its own");
    let wrong = command(&mut app, "close y.log");
    assert!(wrong.is_empty());
    assert!(app.message.as_ref().is_some_and(|(text, wrong)| *wrong && text.contains("/var/x.log")));
    let closed = command(&mut app, "close x.log");
    assert!(closed.contains(&Effect::CloseLog(SourceId(1))), "{closed:?}");
    assert_eq!((app.store.held_records(), app.store.counts().requests, app.view.len()), (5, 5, 5));
    // What was under way comes too late.
    let late = batch_of(SourceId(1), &lines(20..22), 7);
    app.update(Msg::Ingest(IngestMessage::History(late)), now());
    assert_eq!(app.store.held_records(), 5);
}

#[test]
fn parts_of_the_pipeline_have_numbers_of_their_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = IngestOptions::default();
    let (sender, mut receiver) = tokio::sync::mpsc::channel(4);
    let (tell, told) = channel();
    let reading = thread::spawn(move || {
        while let Some(message) = receiver.blocking_recv() {
            match message {
                IngestMessage::Opened(log) => tell.send((log.name, log.id, 0)).expect("the test waits"),
                IngestMessage::History(batch) => {
                    let source = batch.segment.source();
                    tell.send((String::new(), source, batch.origin)).expect("the test waits");
                }
                _ => {}
            }
        }
    });
    let numbers = Numbers::default();
    for part in 0..3u16 {
        let path = folder.path().join(format!("{part}.log"));
        fs::write(&path, lines(u32::from(part) * 10..u32::from(part) * 10 + 3)).expect("a log");
        let part: Ingest = start_numbered(&numbers, &[Input::Argument(path)], &options, &sender);
        part.join();
    }
    drop(sender);
    reading.join().expect("no panic");
    let all: Vec<_> = told.into_iter().collect();
    let opened: Vec<SourceId> =
        all.iter().filter(|(name, ..)| !name.is_empty()).map(|(_, id, _)| *id).collect();
    assert_eq!(opened, [SourceId(0), SourceId(1), SourceId(2)]);
    let mut origins: Vec<u32> =
        all.iter().filter(|(name, ..)| name.is_empty()).map(|(.., origin)| *origin).collect();
    origins.sort_unstable();
    origins.dedup();
    assert_eq!(origins.len(), 3, "no two files have one number: {all:?}");
}

#[test]
fn a_chain_on_screen_goes_on_through_a_log_that_is_opened() {
    let read = |name: &str| {
        let path = format!("{}/tests/data/trail/{name}", env!("CARGO_MANIFEST_DIR"));
        fs::read_to_string(path).expect("a log")
    };
    let mut app = empty_app(Config::default(), 120, 50);
    history(&mut app, &read("kube.jsonl"), 1);
    keys(&mut app, "/");
    type_text(&mut app, "verb:delete name:frontend-app ns:production resource:deployments");
    keys(&mut app, "Enter");
    work(&mut app);
    keys(&mut app, "G C j j j");
    let told = |app: &kauditui::app::App| {
        let story = app.story.as_ref().expect("a chain");
        story.lines.iter().map(|line| format!("{}\n", line.text)).collect::<String>()
    };
    assert!(told(&app).contains("is in its server's log"), "{}", told(&app));
    let line = |app: &kauditui::app::App| app.story.as_ref().and_then(|story| story.line().cloned());
    let under_cursor = line(&app);

    keys(&mut app, ":");
    type_text(&mut app, "open argocd.log");
    assert_eq!(keys(&mut app, "Enter"), [Effect::OpenLog(PathBuf::from("argocd.log"))]);
    let (id, text) = (SourceId(1), "argocd.log".to_owned());
    let other = SourceDescription { id, name: text.clone(), path: text, rotated: 0, compressed: Vec::new() };
    app.update(Msg::Ingest(IngestMessage::Opened(other)), now());
    app.update(Msg::Ingest(IngestMessage::History(batch_of(id, &read("argocd.log"), 7))), now());
    app.update(Msg::Ingest(IngestMessage::HistoryDone(id)), now());
    work(&mut app);
    let after = told(&app);
    assert!(after.contains("Alice (alice@example.com)"), "{after}");
    assert!(!after.contains("is in its server's log"), "{after}");
    assert!(app.message.as_ref().is_some_and(|(text, _)| text.starts_with("argocd.log is open")), "{after}");
    assert_eq!(line(&app), under_cursor, "the cursor stays where it was");
}
