//! Answers remembered for members of events: the same user, object and annotations stand in thousands of lines, and
//! whether one of them holds a secret depends on nothing but its own text.

use std::cell::RefCell;

use hashbrown::HashMap;

/// Members of more bytes are judged anew each time: bodies hardly ever repeat.
const LONGEST: usize = 4 << 10;

/// When this much text is remembered, all of it is forgotten.
const MOST_BYTES: usize = 4 << 20;

/// Members that are another in each line.
const NEVER_ALIKE: [&str; 3] = ["auditID", "requestReceivedTimestamp", "stageTimestamp"];

thread_local! {
    static JUDGED: RefCell<Judged> = RefCell::default();
}

#[derive(Default)]
struct Judged {
    answers: HashMap<Box<str>, bool>,
    bytes: usize,
    /// What is looked up, kept for its room.
    wanted: String,
}

/// What is asked about a member.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Question {
    /// Whether it says that its event deals with Secrets.
    NamesSecrets,
    /// Whether it holds a secret when its event deals with Secrets.
    HoldsSecretInSecrets,
    /// Whether it holds a secret in any other event.
    HoldsSecret,
}

/// The answer of `judge` to a question about the member `key` with this text. It must depend on these alone.
pub(super) fn remembered(question: Question, key: &str, text: &str, judge: impl FnOnce() -> bool) -> bool {
    if text.len() > LONGEST || key.len() > LONGEST || NEVER_ALIKE.contains(&key) {
        return judge();
    }
    let known = JUDGED.with_borrow_mut(|judged| {
        judged.wanted.clear();
        let question = match question {
            Question::NamesSecrets => "n",
            Question::HoldsSecretInSecrets => "s",
            Question::HoldsSecret => "h",
        };
        // No text of JSON holds the character that parts the two.
        for part in [question, text, "\0", key] {
            judged.wanted.push_str(part);
        }
        judged.answers.get(judged.wanted.as_str()).copied()
    });
    if let Some(answer) = known {
        return answer;
    }
    let answer = judge();
    JUDGED.with_borrow_mut(|judged| {
        if judged.bytes > MOST_BYTES {
            judged.answers.clear();
            judged.bytes = 0;
        }
        judged.bytes += judged.wanted.len();
        judged.answers.insert(judged.wanted.as_str().into(), answer);
    });
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_that_of_the_same_question_and_member_alone() {
        use Question::{HoldsSecret, HoldsSecretInSecrets, NamesSecrets};
        let asked = |question, key, text| remembered(question, key, text, || panic!("{key} is known"));
        assert!(remembered(HoldsSecret, "data", "{}", || true));
        for (question, key, text) in [
            (HoldsSecretInSecrets, "data", "{}"),
            (NamesSecrets, "data", "{}"),
            (HoldsSecret, "dat", "{}"),
            (HoldsSecret, "data", "[]"),
        ] {
            assert!(!remembered(question, key, text, || false));
            assert!(!asked(question, key, text));
        }
        assert!(asked(HoldsSecret, "data", "{}"));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        for number in 0..3 * MOST_BYTES / LONGEST {
            let text = format!("{number:>width$}", width = LONGEST);
            assert!(remembered(Question::HoldsSecret, "a", &text, || true));
        }
        remembered(Question::HoldsSecret, "long", &"x".repeat(LONGEST + 1), || true);
        JUDGED.with_borrow(|judged| {
            assert!(judged.bytes <= MOST_BYTES + 2 * LONGEST, "{}", judged.bytes);
            assert_eq!(judged.bytes, judged.answers.keys().map(|key| key.len()).sum::<usize>());
        });
    }
}
