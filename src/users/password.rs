//! Argon2id: hashing and checking. Both take tens of milliseconds of processor time on purpose and
//! belong on a thread for blocking work.

use argon2::password_hash::phc::PasswordHash as Phc;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Argon2, Params};
use secrecy::{ExposeSecret, SecretString};

use super::{Denied, PasswordHash, User, Users};
use crate::model::UserId;

/// Work a hash in the file may ask for: beyond this, a slip of the pen would stall the relay.
const MEMORY_KIB_MAX: u32 = 1024 * 1024;
const PASSES_MAX: u32 = 64;

/// The password could not be hashed: the machine gave no randomness, or the password is too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the password could not be hashed")]
pub struct HashFailed;

/// Hashes a password with Argon2id, default work, and a salt of its own.
pub fn hash_password(password: &SecretString) -> Result<PasswordHash, HashFailed> {
    let hash = Argon2::default().hash_password(password.expose_secret().as_bytes());
    hash.map(|phc| wrap(&phc)).map_err(|_| HashFailed)
}

/// Checks the password of `id`.
///
/// Takes as long for a user who does not exist or is disabled as for any other, as far as all hashes
/// in the file ask for the same work (those of `callrelay user add` do).
pub fn verify_password<'a>(
    users: &'a Users,
    id: &UserId,
    password: &SecretString,
) -> Result<&'a User, Denied> {
    let user = users.find(id).filter(|user| !user.disabled);
    let hash = user.map_or(&users.nobody, |user| &user.password_hash);
    let right = Phc::new(hash.as_phc()).is_ok_and(|hash| {
        Argon2::default()
            .verify_password(password.expose_secret().as_bytes(), &hash)
            .is_ok()
    });
    user.filter(|_| right).ok_or(Denied)
}

/// Reads a PHC string; only Argon2id is taken.
pub(super) fn parse_hash(phc: &str) -> Result<PasswordHash, String> {
    let parsed = Phc::new(phc).map_err(|_| "password_hash is not a PHC string ($argon2id$…)".to_owned())?;
    if parsed.algorithm.as_str() != "argon2id" {
        return Err(format!(
            "password_hash is of {}; only argon2id is taken",
            parsed.algorithm
        ));
    }
    let params = Params::try_from(&parsed).map_err(|_| "password_hash has wrong parameters".to_owned())?;
    if parsed.salt.is_none() || parsed.hash.is_none() {
        return Err("password_hash is cut off: salt or hash are missing".to_owned());
    }
    if params.m_cost() > MEMORY_KIB_MAX || params.t_cost() > PASSES_MAX {
        return Err(format!(
            "password_hash asks for too much work (m={}, t={}); at most m={MEMORY_KIB_MAX}, t={PASSES_MAX}",
            params.m_cost(),
            params.t_cost()
        ));
    }
    Ok(PasswordHash(SecretString::from(phc)))
}

/// A hash that no password was made into, asking for as much work as `like`.
pub(super) fn hash_of_nobody(like: Option<&PasswordHash>) -> PasswordHash {
    let params = like
        .and_then(|hash| Phc::new(hash.as_phc()).ok())
        .and_then(|phc| Params::try_from(&phc).ok())
        .unwrap_or_default();
    let (m, t, p) = (params.m_cost(), params.t_cost(), params.p_cost());
    // Salt and hash are "nobody" written out; what they are does not matter, their lengths do.
    let salt = "bm9ib2R5bm9ib2R5bm9ibw";
    let hash = "bm9ib2R5bm9ib2R5bm9ib2R5bm9ib2R5bm9ib2R5bm8";
    PasswordHash(SecretString::from(format!(
        "$argon2id$v=19$m={m},t={t},p={p}${salt}${hash}"
    )))
}

fn wrap(phc: &Phc) -> PasswordHash {
    PasswordHash(SecretString::from(phc.to_string()))
}

#[cfg(test)]
pub(super) fn cheap_hash(password: &str) -> PasswordHash {
    use argon2::{Algorithm, Version};

    let params = Params::new(Params::MIN_M_COST, 1, 1, None).unwrap();
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    wrap(
        &argon2
            .hash_password_with_salt(password.as_bytes(), b"salt of the tests")
            .unwrap(),
    )
}

#[cfg(test)]
mod tests {
    use super::super::testing::user;
    use super::*;

    fn verify(users: &Users, id: &str, password: &str) -> Result<String, Denied> {
        verify_password(users, &UserId::new(id), &password.into()).map(|user| user.id.to_string())
    }

    #[test]
    fn only_the_right_password_of_a_user_who_is_not_disabled_is_let_in() {
        let carol = User {
            disabled: true,
            ..user("carol", &["1003"], "open sesame")
        };
        let users = Users::new(vec![user("alice", &["1001"], "correct horse"), carol]);

        assert_eq!(verify(&users, "alice", "correct horse"), Ok("alice".to_owned()));
        for (id, password) in [
            ("alice", "correct hors"),
            ("alice", "correct horse "),
            ("alice", ""),
            ("Alice", "correct horse"),
            ("carol", "open sesame"),
            ("nobody", "correct horse"),
            ("", ""),
        ] {
            assert_eq!(verify(&users, id, password), Err(Denied), "{id} {password}");
        }
    }

    #[test]
    fn a_hash_of_ours_is_argon2id_with_the_recommended_work_and_fits_its_password_only() {
        let hash = hash_password(&"correct horse".into()).unwrap();
        assert!(
            hash.as_phc().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{}",
            hash.as_phc()
        );
        let reread = parse_hash(hash.as_phc()).unwrap();
        let users = Users::new(vec![User {
            password_hash: reread,
            ..user("alice", &["1"], "other")
        }]);
        assert_eq!(verify(&users, "alice", "correct horse"), Ok("alice".to_owned()));
        assert_eq!(verify(&users, "alice", "other"), Err(Denied));
    }

    #[test]
    fn the_check_for_nobody_asks_for_the_same_work_as_for_somebody() {
        let like = hash_of_nobody(Some(&cheap_hash("x")));
        let params = |hash: &PasswordHash| {
            let phc = Phc::new(hash.as_phc()).unwrap();
            let params = Params::try_from(&phc).unwrap();
            (
                params.m_cost(),
                params.t_cost(),
                params.p_cost(),
                params.output_len(),
            )
        };
        assert_eq!(params(&like), params(&cheap_hash("y")));
        assert_eq!(
            params(&hash_of_nobody(None)),
            params(&hash_password(&"z".into()).unwrap())
        );
    }

    #[test]
    fn hashes_of_other_kinds_are_refused_with_the_reason() {
        let refused = |phc: &str| parse_hash(phc).map(|_| ()).unwrap_err();
        assert_eq!(
            refused("hunter2"),
            "password_hash is not a PHC string ($argon2id$…)"
        );
        let fine = hash_of_nobody(None).as_phc().to_owned();
        assert_eq!(
            refused(&fine.replace("argon2id", "argon2i")),
            "password_hash is of argon2i; only argon2id is taken"
        );
        assert_eq!(
            refused(&fine.replace("m=19456", "m=1")),
            "password_hash has wrong parameters"
        );
        assert_eq!(
            refused(&fine.replace("t=2", "t=2000")),
            "password_hash asks for too much work (m=19456, t=2000); at most m=1048576, t=64"
        );
        assert_eq!(
            refused("$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5bm9ib2R5bm9ibw"),
            "password_hash is cut off: salt or hash are missing"
        );
    }
}
