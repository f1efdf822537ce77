//! Resume tokens: what lets a terminal link again without its password.
//!
//! The relay keeps no list of them. A token carries what it stands for and a fingerprint of the
//! password hash it was issued under, and is sealed with HMAC-SHA256; so it survives a restart, and
//! ends with the password, the user, or the user's right to the phone. It cannot be ended alone.
//!
//! Layout, before base64url: version (1 byte), fingerprint (16), user id, phone and terminal (each
//! with its length in two bytes, big-endian), seal (32).

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretBox, SecretString};
use sha2::Sha256;

use super::{Denied, FINGERPRINT_BYTES, Fingerprint, User, Users, still_valid};
use crate::model::{Phone, TerminalName, UserId};

const VERSION: u8 = 1;
const SEAL_BYTES: usize = 32;

/// Longer than any token of ours: id and phone are bounded by the users file, the terminal's name by
/// the protocol.
const TOKEN_CHARS_MAX: usize = 2048;

/// Issues and verifies resume tokens with one key.
#[derive(Debug)]
pub struct ResumeTokens {
    key: SecretBox<[u8; 32]>,
}

impl ResumeTokens {
    /// With this key. Another key ends every token there is.
    #[must_use]
    pub fn new(key: [u8; 32]) -> Self {
        Self {
            key: SecretBox::new(Box::new(key)),
        }
    }

    /// A token that links `terminal` to `phone` as `user`.
    #[must_use]
    pub fn issue(&self, user: &User, phone: &Phone, terminal: &TerminalName) -> SecretString {
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&user.password_hash.fingerprint().0);
        for text in [user.id.as_str(), phone.as_str(), terminal.as_str()] {
            // A text that does not fit makes a token that is denied.
            let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(text.as_bytes());
        }
        let seal = self.sealer(&bytes).finalize().into_bytes();
        bytes.extend_from_slice(&seal);
        SecretString::from(BASE64.encode(bytes))
    }

    /// What a token stands for, if it is one of ours and its user, password and phone still stand.
    pub fn verify(
        &self,
        users: &Users,
        token: &SecretString,
    ) -> Result<(UserId, Phone, TerminalName), Denied> {
        let token = token.expose_secret();
        if token.len() > TOKEN_CHARS_MAX {
            return Err(Denied);
        }
        let bytes = BASE64.decode(token).map_err(|_| Denied)?;
        let (payload, seal) = bytes.split_last_chunk::<SEAL_BYTES>().ok_or(Denied)?;
        // In constant time, and before anything in the payload is believed.
        self.sealer(payload).verify_slice(seal).map_err(|_| Denied)?;
        let (fingerprint, id, phone, terminal) = parse(payload).ok_or(Denied)?;
        if still_valid(users, &id, &phone, fingerprint) {
            Ok((id, phone, terminal))
        } else {
            Err(Denied)
        }
    }

    fn sealer(&self, payload: &[u8]) -> Hmac<Sha256> {
        #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
        let sealer = Hmac::<Sha256>::new_from_slice(self.key.expose_secret()).expect("any key will do");
        sealer.chain_update(payload)
    }
}

fn parse(payload: &[u8]) -> Option<(Fingerprint, UserId, Phone, TerminalName)> {
    let (version, rest) = payload.split_first()?;
    let (fingerprint, mut rest) = rest.split_first_chunk::<FINGERPRINT_BYTES>()?;
    let id = take_text(&mut rest)?;
    let phone = take_text(&mut rest)?;
    let terminal = take_text(&mut rest)?;
    (*version == VERSION && rest.is_empty()).then(|| {
        (
            Fingerprint(*fingerprint),
            UserId::new(id),
            Phone::new(phone),
            TerminalName::new(terminal),
        )
    })
}

fn take_text<'a>(bytes: &mut &'a [u8]) -> Option<&'a str> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    let (text, rest) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
    *bytes = rest;
    std::str::from_utf8(text).ok()
}

#[cfg(test)]
mod tests {
    use super::super::testing::user;
    use super::*;

    struct Scene {
        tokens: ResumeTokens,
        alice: User,
        token: SecretString,
    }

    fn scene() -> Scene {
        let tokens = ResumeTokens::new([7; 32]);
        let alice = user("alice", &["1001", "1002"], "correct horse");
        let token = tokens.issue(&alice, &Phone::new("1001"), &TerminalName::new("desk"));
        Scene { tokens, alice, token }
    }

    impl Scene {
        fn verify(&self, users: Vec<User>, token: &str) -> Result<(UserId, Phone, TerminalName), Denied> {
            self.tokens.verify(&Users::new(users), &token.into())
        }
    }

    #[test]
    fn a_token_stands_for_user_phone_and_terminal_also_after_a_restart() {
        let scene = scene();
        let expected = (
            UserId::new("alice"),
            Phone::new("1001"),
            TerminalName::new("desk"),
        );
        let users = Users::new(vec![scene.alice.clone()]);
        assert_eq!(scene.tokens.verify(&users, &scene.token), Ok(expected.clone()));
        assert_eq!(
            ResumeTokens::new([7; 32]).verify(&users, &scene.token),
            Ok(expected)
        );
        assert_eq!(
            ResumeTokens::new([8; 32]).verify(&users, &scene.token),
            Err(Denied)
        );
    }

    #[test]
    fn a_token_ends_with_the_password_the_user_and_the_phone() {
        let scene = scene();
        let (alice, token) = (&scene.alice, scene.token.expose_secret());
        let changed = user("alice", &["1001", "1002"], "another password");
        let moved = User {
            phones: vec![Phone::new("1002")],
            ..alice.clone()
        };
        let disabled = User {
            disabled: true,
            ..alice.clone()
        };
        for users in [vec![changed], vec![moved], vec![disabled], vec![]] {
            assert_eq!(scene.verify(users.clone(), token), Err(Denied), "{users:?}");
        }
        // Another user with the same hash is still another user.
        let twin = User {
            id: UserId::new("bob"),
            ..alice.clone()
        };
        assert_eq!(scene.verify(vec![twin], token), Err(Denied));
    }

    #[test]
    fn a_token_with_any_bit_changed_is_denied() {
        let scene = scene();
        let bytes = BASE64.decode(scene.token.expose_secret()).unwrap();
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut tampered = bytes.clone();
                tampered[at] ^= 1 << bit;
                let tampered = BASE64.encode(tampered);
                assert_eq!(
                    scene.verify(vec![scene.alice.clone()], &tampered),
                    Err(Denied),
                    "byte {at} bit {bit}"
                );
            }
        }
    }

    #[test]
    fn a_token_with_any_character_changed_cut_or_added_is_denied() {
        let scene = scene();
        let token = scene.token.expose_secret();
        for at in 0..token.len() {
            let other = if &token[at..=at] == "A" { "B" } else { "A" };
            let changed = format!("{}{other}{}", &token[..at], &token[at + 1..]);
            for tampered in [changed.as_str(), &token[..at], &token[at + 1..]] {
                assert_eq!(
                    scene.verify(vec![scene.alice.clone()], tampered),
                    Err(Denied),
                    "{tampered}"
                );
            }
        }
        for tampered in [
            format!("{token}A"),
            format!("{token}="),
            format!(" {token}"),
            "A".repeat(1 << 20),
        ] {
            assert_eq!(scene.verify(vec![scene.alice.clone()], &tampered), Err(Denied));
        }
    }

    #[test]
    fn the_longest_names_there_may_be_fit_into_a_token() {
        let tokens = ResumeTokens::new([7; 32]);
        let (id, phone) = ("\u{1d11e}".repeat(128), "\u{1d11e}".repeat(64));
        let user = user(&id, &[&phone], "x");
        let terminal = TerminalName::new("\u{1d11e}".repeat(64));
        let token = tokens.issue(&user, &Phone::new(&phone), &terminal);
        assert!(token.expose_secret().len() <= TOKEN_CHARS_MAX);
        assert!(tokens.verify(&Users::new(vec![user]), &token).is_ok());
    }

    #[test]
    fn neither_key_nor_token_can_be_written_to_a_log() {
        let scene = scene();
        let shown = format!("{:?} {:?}", scene.tokens, scene.token);
        assert!(
            !shown.contains('7') && !shown.contains(scene.token.expose_secret()),
            "{shown}"
        );
    }
}
