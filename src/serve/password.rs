//! Passwords against their bcrypt hashes.
//!
//! bcrypt takes tens of milliseconds by design, and a scraper sends its password every time. So what bcrypt
//! said is remembered: signatures under a key that only this process has, of user, hash and password. One
//! right password is remembered for each user, and a bounded number of wrong ones, so that a client
//! with an old password costs nothing either. One password is checked at a time, beside the event loop: who
//! guesses keeps one processor busy at most, and who has been here before does not wait for them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ring::hmac;
use tokio::sync::Semaphore;

use crate::secret::Secret;

/// Most wrong logins that are remembered; the oldest is forgotten first.
const WRONG_MAX: usize = 256;
/// Longest password that is looked at. bcrypt reads 72 bytes.
const PASSWORD_BYTES_MAX: usize = 1_024;
/// The hash of nobody's password.
const NOBODY: &str = "$2y$10$mDwo.lAisC94iLAyP81MCesa29IzH37oigHC/42V2pdJlUprsJPze";

/// What stands for a user, the hash and a password.
type Signature = [u8; 32];

/// The users, and what bcrypt has said so far.
pub(super) struct Passwords {
    hashes: BTreeMap<String, Secret>,
    /// Users who do not exist are checked against this, so that they take as long as others.
    decoy: Secret,
    key: hmac::Key,
    known: Mutex<Known>,
    turn: Semaphore,
}

#[derive(Default)]
struct Known {
    right: BTreeMap<String, Signature>,
    wrong: VecDeque<Signature>,
}

impl Passwords {
    pub(super) fn new(hashes: BTreeMap<String, Secret>, key: hmac::Key) -> Self {
        // The highest cost there is: a user who does not exist must not answer sooner than one who does.
        let cost = |hash: &&Secret| hash.exposed().get(4..6).map(str::to_owned);
        let decoy = hashes.values().max_by_key(cost).cloned();
        let decoy = decoy.unwrap_or_else(|| Secret::new(NOBODY.to_owned()));
        Self { hashes, decoy, key, known: Mutex::default(), turn: Semaphore::new(1) }
    }

    /// Tells whether this is the user's password.
    pub(super) async fn is_right(&self, user: &str, password: String) -> bool {
        if password.len() > PASSWORD_BYTES_MAX || password.contains('\0') {
            return false;
        }
        let hash = self.hashes.get(user);
        let signature = self.signature(user, hash.unwrap_or(&self.decoy), &password);
        if let Some(answer) = self.known().answer(user, &signature) {
            return answer;
        }
        let Ok(turn) = self.turn.acquire().await else { return false };
        // The one before may have asked the same.
        if let Some(answer) = self.known().answer(user, &signature) {
            return answer;
        }
        let against = hash.unwrap_or(&self.decoy).clone();
        let check = move || bcrypt::verify(password, against.exposed()).unwrap_or(false);
        let is_same = tokio::task::spawn_blocking(check).await.unwrap_or(false);
        let answer = is_same && hash.is_some();
        self.known().remember(user, signature, answer);
        drop(turn);
        answer
    }

    /// Each part is preceded by its length, so that no two logins give the same bytes.
    fn signature(&self, user: &str, hash: &Secret, password: &str) -> Signature {
        let mut context = hmac::Context::with_key(&self.key);
        for part in [user, hash.exposed(), password] {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part.as_bytes());
        }
        let mut signature = [0; 32];
        for (to, from) in signature.iter_mut().zip(context.sign().as_ref()) {
            *to = *from;
        }
        signature
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn answer(&self, user: &str, signature: &Signature) -> Option<bool> {
        if self.right.get(user) == Some(signature) {
            return Some(true);
        }
        self.wrong.contains(signature).then_some(false)
    }

    fn remember(&mut self, user: &str, signature: Signature, is_right: bool) {
        if is_right {
            self.right.insert(user.to_owned(), signature);
            return;
        }
        if self.wrong.len() >= WRONG_MAX {
            self.wrong.pop_front();
        }
        self.wrong.push_back(signature);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passwords() -> Passwords {
        let hash = bcrypt::hash("s3cr3t", 4).unwrap();
        let key = hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]);
        Passwords::new([("alice".to_owned(), Secret::new(hash))].into(), key)
    }

    fn run<T>(test: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(test)
    }

    #[test]
    fn only_the_right_password_of_a_user_is_right_first_and_later() {
        let passwords = passwords();
        let is_right =
            |user: &str, password: &str| run(passwords.is_right(user, password.to_owned()));
        for _ in 0..2 {
            assert!(is_right("alice", "s3cr3t"));
            for (user, password) in [
                ("alice", "s3cr3"),
                ("alice", ""),
                ("bob", "s3cr3t"),
                ("", "s3cr3t"),
                ("alice", "s3cr3t\0"),
            ] {
                assert!(!is_right(user, password), "{user:?} {password:?}");
            }
        }
        assert!(!is_right("alice", &"s3cr3t".repeat(1_000)));
    }

    #[test]
    fn what_is_remembered_is_bounded_and_does_not_push_out_who_is_known() {
        let passwords = passwords();
        assert!(run(passwords.is_right("alice", "s3cr3t".to_owned())));
        let mut known = Known::default();
        for number in 0..10_000_u32 {
            let mut signature = [0; 32];
            signature[..4].copy_from_slice(&number.to_be_bytes());
            known.remember("alice", signature, false);
        }
        assert_eq!((known.wrong.len(), known.right.len()), (WRONG_MAX, 0));
        known.remember("alice", [9; 32], true);
        assert_eq!(known.answer("alice", &[9; 32]), Some(true));
        assert_eq!(known.answer("bob", &[9; 32]), None);
    }
}
